/**
 * A page whose headline, image and button each come in three variants: 27 layouts, one an arm. Whether a visitor buys
 * follows a logistic model with effects of each variant, of pairs of variants, and of variants by country and by
 * whether the visitor has been here before (the setting of Hill et al. 2017). The weights are drawn once a world.
 */
import type { ContextValue } from '../../core/context.ts';
import type { Aspect, Feature, Layout } from '../../core/experiment.ts';
import { layoutArmIds } from '../../core/layout.ts';
import type { Random } from '../../core/random.ts';
import { type Environment, PLAIN, type SimulatedUnit } from '../environment.ts';

const VARIANTS = 3;
const ASPECTS: readonly Aspect[] = ['headline', 'image', 'button'].map((name) => ({
  name,
  variants: Array.from({ length: VARIANTS }, (_, variant) => `${name}-${variant + 1}`),
}));
const COUNTRY = 'country';
const RETURNING = 'is_returning';
const COUNTRIES = ['BR', 'DE', 'US'] as const;
const COUNTRY_SHARES = [0.3, 0.2, 0.5] as const;
const RETURNING_SHARE = 0.4;
/** Of layouts dealt at random, about 10 % of visitors buy; of the best one for each visitor, about 30 %. */
const INTERCEPT = -2.5;
const MAIN_DEVIATION = 0.3;
const PAIR_DEVIATION = 0.2;
const CONTEXT_DEVIATION = 0.4;

/** By aspect, which variant. */
type Variants = readonly number[];

export class Page implements Environment {
  readonly retired = PLAIN.retired;
  readonly slots = PLAIN.slots;
  readonly armsRevision = PLAIN.armsRevision;
  readonly benchmark = PLAIN.benchmark;
  readonly costOfUnit = PLAIN.costOfUnit;
  readonly rewardRange = { min: 0, max: 1 };
  readonly features: readonly Feature[] = [
    { kind: 'category', name: COUNTRY, values: COUNTRIES },
    { kind: 'boolean', name: RETURNING },
  ];
  readonly layout: Layout = { aspects: ASPECTS, crosses: crosses() };
  readonly armIds: readonly string[] = layoutArmIds(ASPECTS);
  readonly costs = this.armIds.map(() => 0);
  /** By kind of visitor, by arm: the probability to buy. */
  private readonly rates: ReadonlyMap<string, readonly number[]>;
  private visitors = 0;

  constructor(random: Random) {
    this.rates = purchaseRates(allLayouts(), random);
  }

  nextUnit(random: Random): SimulatedUnit {
    const draw = random.next();
    const country = draw < COUNTRY_SHARES[0] ? 'BR' : draw < COUNTRY_SHARES[0] + COUNTRY_SHARES[1] ? 'DE' : 'US';
    const context = new Map<string, ContextValue>([
      [COUNTRY, country],
      [RETURNING, random.next() < RETURNING_SHARE],
    ]);
    this.visitors += 1;
    return { unitId: `visitor-${this.visitors}`, context };
  }

  expectedRewards({ context }: SimulatedUnit): readonly number[] {
    return this.rates.get(visitorKind(String(context.get(COUNTRY)), context.get(RETURNING) === true))!;
  }

  observe(unit: SimulatedUnit, armIndex: number, random: Random): number {
    return random.next() < this.expectedRewards(unit)[armIndex]! ? 1 : 0;
  }
}

/** The pairs that purchases depend on. */
function crosses(): (readonly [string, string])[] {
  const names = ASPECTS.map(({ name }) => name);
  const pairs = names.flatMap((name, at) => names.slice(0, at).map((other) => [other, name] as const));
  return [...pairs, ...names.flatMap((name) => [[name, COUNTRY] as const, [name, RETURNING] as const])];
}

/** In the order of the arms. */
function allLayouts(): Variants[] {
  const variants = Array.from({ length: VARIANTS }, (_, variant) => variant);
  return variants.flatMap((headline) =>
    variants.flatMap((image) => variants.map((button): Variants => [headline, image, button])),
  );
}

function visitorKind(country: string, isReturning: boolean): string {
  return `${country}/${isReturning}`;
}

function purchaseRates(layouts: readonly Variants[], random: Random): Map<string, readonly number[]> {
  const weights = new Map<string, number>();
  /** Each name's weight is drawn when it is first asked for; the order of asking is fixed. */
  const weight = (name: string, deviation: number) => {
    const drawn = weights.get(name) ?? deviation * random.normal();
    weights.set(name, drawn);
    return drawn;
  };
  const logOdds = (layout: Variants, country: string, isReturning: boolean) => {
    let sum = INTERCEPT;
    for (const [at, variant] of layout.entries()) {
      const own = `${at}=${variant}`;
      sum += weight(own, MAIN_DEVIATION) + weight(`${own} ${country}`, CONTEXT_DEVIATION);
      if (isReturning) sum += weight(`${own} returning`, CONTEXT_DEVIATION);
      for (let other = 0; other < at; other++) sum += weight(`${own} ${other}=${layout[other]}`, PAIR_DEVIATION);
    }
    return sum;
  };
  return new Map(
    COUNTRIES.flatMap((country) =>
      [false, true].map((isReturning) => [
        visitorKind(country, isReturning),
        layouts.map((layout) => 1 / (1 + Math.exp(-logOdds(layout, country, isReturning)))),
      ]),
    ),
  );
}
