/**
 * The fixed-point grid. Every number that enters a sum is rounded here, once, to an integer count of units,
 * so that sums of units and of products of two of them are exact in float64 (see sums/exact.ts).
 */
import { Invalid } from './errors.ts';

/** Rewards, mapped to [0, 1], in units of 2⁻²⁰. */
export const REWARD_UNITS = 2 ** 20;
/** Features in units of 2⁻¹⁶, … */
export const FEATURE_UNITS = 2 ** 16;
/** … with absolute value at most this, so that a feature too is at most 2²⁰ units. */
export const FEATURE_MAX = 16;
/** No addend to a sum exceeds this in absolute value: the product of two quantised inputs. */
export const ADDEND_MAX = 2 ** 40;

/** @param scaled a reward in [0, 1]. @returns whole units in [0, 2²⁰]. */
export function quantizeReward(scaled: number): number {
  if (!(scaled >= 0 && scaled <= 1)) throw new Invalid('reward-range', `scaled reward ${scaled}, allowed 0 to 1`);
  return Math.round(scaled * REWARD_UNITS);
}

/** @returns whole units. @throws Invalid when not finite or beyond ±FEATURE_MAX. */
export function quantizeFeature(value: number): number {
  if (!(Math.abs(value) <= FEATURE_MAX)) {
    throw new Invalid('feature-range', `feature ${value}, allowed −${FEATURE_MAX} to ${FEATURE_MAX}`);
  }
  // −0 and 0 must have the same bits.
  return Math.round(value * FEATURE_UNITS) + 0;
}
