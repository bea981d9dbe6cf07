/**
 * The growth case: which of five coupons earns most from a new user within 30 days, after the coupon's cost.
 * Long-term value (LTV) depends on the user. Amounts are in the shop's currency.
 */
import type { ContextValue } from '../core/context.ts';
import type { Feature } from '../core/experiment.ts';
import { normalTwoSidedTail } from '../core/numerics/normal.ts';
import type { Random } from '../core/random.ts';
import { type Environment, PLAIN, type SimulatedUnit } from './environment.ts';

interface Coupon {
  readonly armId: string;
  readonly cost: number;
  readonly baseLtv: number;
  /** What it brings more from users with an attribute. */
  readonly uplifts: readonly Uplift[];
}

interface Uplift {
  readonly attribute: string;
  readonly value: ContextValue;
  readonly ltv: number;
}

/** As published. A2 brings most before costs from everybody and after costs from 82.5 %, so there is little to learn. */
export const PUBLISHED_COUPONS: readonly Coupon[] = [
  { armId: 'A1', cost: 35, baseLtv: 120, uplifts: [] },
  { armId: 'A2', cost: 55, baseLtv: 180, uplifts: [from('is_high_value', true, 40)] },
  { armId: 'A3', cost: 28, baseLtv: 95, uplifts: [from('is_price_sensitive', true, 25), from('is_social', true, 15)] },
  { armId: 'A4', cost: 18, baseLtv: 85, uplifts: [from('region', 'SEA', 30)] },
  { armId: 'A5', cost: 5, baseLtv: 110, uplifts: [from('is_brand_lover', true, 35)] },
];

/** The balanced variant, in which each of A2 to A5 is best for some users and A1 for none. */
export const BALANCED_COUPONS: readonly Coupon[] = [
  { armId: 'A1', cost: 35, baseLtv: 120, uplifts: [] },
  { armId: 'A2', cost: 55, baseLtv: 100, uplifts: [from('is_high_value', true, 60)] },
  { armId: 'A3', cost: 28, baseLtv: 105, uplifts: [from('is_price_sensitive', true, 25), from('is_social', true, 15)] },
  { armId: 'A4', cost: 18, baseLtv: 95, uplifts: [from('region', 'SEA', 45)] },
  { armId: 'A5', cost: 5, baseLtv: 90, uplifts: [from('is_brand_lover', true, 45)] },
];

/** How many users have each attribute, independently. */
export const ATTRIBUTE_SHARES: readonly (readonly [name: string, share: number])[] = [
  ['is_high_value', 0.3],
  ['is_price_sensitive', 0.4],
  ['is_social', 0.35],
  ['is_brand_lover', 0.25],
];
export const REGION_SHARES: readonly (readonly [name: string, share: number])[] = [
  ['CN', 0.5],
  ['US', 0.2],
  ['SEA', 0.3],
];
const LTV_MIN = 50;
const LTV_MAX = 250;
const USER_DEVIATION = 20;
const OBSERVATION_DEVIATION = 5;

export class GrowthCase implements Environment {
  readonly retired = PLAIN.retired;
  readonly slots = PLAIN.slots;
  readonly armsRevision = PLAIN.armsRevision;
  readonly benchmark = PLAIN.benchmark;
  readonly layout = PLAIN.layout;
  readonly costOfUnit = 50;
  /** From the least value less the highest cost to the highest value, with room for the noise of observing. */
  readonly rewardRange = { min: -20, max: 250 };
  readonly features: readonly Feature[] = [
    ...ATTRIBUTE_SHARES.map(([name]) => ({ kind: 'boolean', name }) as const),
    { kind: 'category', name: 'region', values: REGION_SHARES.map(([region]) => region) },
  ];
  readonly armIds: readonly string[];
  readonly costs: readonly number[];
  private readonly coupons: readonly Coupon[];
  private users = 0;

  constructor(coupons: readonly Coupon[]) {
    this.coupons = coupons;
    this.armIds = coupons.map(({ armId }) => armId);
    this.costs = coupons.map(({ cost }) => cost);
  }

  nextUnit(random: Random): SimulatedUnit {
    const context = new Map<string, ContextValue>(
      ATTRIBUTE_SHARES.map(([name, share]) => [name, random.next() < share]),
    );
    const draw = random.next();
    context.set('region', draw < 0.5 ? 'CN' : draw < 0.7 ? 'US' : 'SEA');
    this.users += 1;
    return { unitId: `user-${this.users}`, context };
  }

  /** With what cutting the values to [50, 250] does to the mean. */
  expectedRewards(unit: SimulatedUnit): readonly number[] {
    return this.coupons.map((coupon) => cutNormalMean(meanLtv(coupon, unit)) - coupon.cost);
  }

  observe(unit: SimulatedUnit, armIndex: number, random: Random): number {
    const ltv = meanLtv(this.coupons[armIndex]!, unit) + USER_DEVIATION * random.normal();
    return Math.min(LTV_MAX, Math.max(LTV_MIN, ltv)) + OBSERVATION_DEVIATION * random.normal();
  }
}

function from(attribute: string, value: ContextValue, ltv: number): Uplift {
  return { attribute, value, ltv };
}

function meanLtv(coupon: Coupon, { context }: SimulatedUnit): number {
  return coupon.uplifts.reduce(
    (ltv, uplift) => ltv + (context.get(uplift.attribute) === uplift.value ? uplift.ltv : 0),
    coupon.baseLtv,
  );
}

/** @returns E[min(max, max(min, X))] of X ~ N(mean, USER_DEVIATION²). */
function cutNormalMean(mean: number): number {
  const low = (LTV_MIN - mean) / USER_DEVIATION;
  const high = (LTV_MAX - mean) / USER_DEVIATION;
  const inside = cumulative(high) - cumulative(low);
  return (
    LTV_MIN * cumulative(low) +
    LTV_MAX * (1 - cumulative(high)) +
    mean * inside -
    USER_DEVIATION * (density(high) - density(low))
  );
}

function cumulative(z: number): number {
  const tail = normalTwoSidedTail(z) / 2;
  return z < 0 ? tail : 1 - tail;
}

function density(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
}
