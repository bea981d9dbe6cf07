/**
 * The growth case: which of five coupons earns most from a new user within 30 days, after the coupon's cost.
 * Long-term value (LTV) depends on the user; no coupon is best for all. Amounts are in the shop's currency.
 */
import type { ContextValue } from '../core/context.ts';
import type { Random } from '../core/random.ts';
import type { Environment, SimulatedUnit } from './environment.ts';

interface Coupon {
  readonly armId: string;
  readonly cost: number;
  readonly baseLtv: number;
  /** What it brings more from users with an attribute. */
  readonly uplifts: readonly { readonly attribute: string; readonly value: ContextValue; readonly ltv: number }[];
}

/** The balanced variant, in which each of A2 to A5 is best for some users and A1 for none. */
export const BALANCED_COUPONS: readonly Coupon[] = [
  { armId: 'A1', cost: 35, baseLtv: 120, uplifts: [] },
  { armId: 'A2', cost: 55, baseLtv: 100, uplifts: [{ attribute: 'is_high_value', value: true, ltv: 60 }] },
  {
    armId: 'A3',
    cost: 28,
    baseLtv: 105,
    uplifts: [
      { attribute: 'is_price_sensitive', value: true, ltv: 25 },
      { attribute: 'is_social', value: true, ltv: 15 },
    ],
  },
  { armId: 'A4', cost: 18, baseLtv: 95, uplifts: [{ attribute: 'region', value: 'SEA', ltv: 45 }] },
  { armId: 'A5', cost: 5, baseLtv: 90, uplifts: [{ attribute: 'is_brand_lover', value: true, ltv: 45 }] },
];

const SHARES: readonly (readonly [string, number])[] = [
  ['is_high_value', 0.3],
  ['is_price_sensitive', 0.4],
  ['is_social', 0.35],
  ['is_brand_lover', 0.25],
];
const LTV_MIN = 50;
const LTV_MAX = 250;
const USER_DEVIATION = 20;
const OBSERVATION_DEVIATION = 5;

export class GrowthCase implements Environment {
  readonly armIds: readonly string[];
  private readonly coupons: readonly Coupon[];
  private users = 0;

  constructor(coupons: readonly Coupon[]) {
    this.coupons = coupons;
    this.armIds = coupons.map(({ armId }) => armId);
  }

  nextUnit(random: Random): SimulatedUnit {
    const context = new Map<string, ContextValue>(SHARES.map(([name, share]) => [name, random.next() < share]));
    const draw = random.next();
    context.set('region', draw < 0.5 ? 'CN' : draw < 0.7 ? 'US' : 'SEA');
    this.users += 1;
    return { unitId: `user-${this.users}`, context };
  }

  /** Leaves out that values are cut to [50, 250], which at these means moves an expectation by less than 1. */
  expectedRewards(unit: SimulatedUnit): readonly number[] {
    return this.coupons.map((coupon) => meanLtv(coupon, unit) - coupon.cost);
  }

  observe(unit: SimulatedUnit, armIndex: number, random: Random): number {
    const ltv = meanLtv(this.coupons[armIndex]!, unit) + USER_DEVIATION * random.normal();
    return Math.min(LTV_MAX, Math.max(LTV_MIN, ltv)) + OBSERVATION_DEVIATION * random.normal();
  }
}

function meanLtv(coupon: Coupon, { context }: SimulatedUnit): number {
  return coupon.uplifts.reduce(
    (ltv, uplift) => ltv + (context.get(uplift.attribute) === uplift.value ? uplift.ltv : 0),
    coupon.baseLtv,
  );
}
