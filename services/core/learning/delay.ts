/**
 * How much of a cohort's rewards has had time to come, by what the sums themselves say of delays. A pure function of the
 * sums: time is read off the newest cohort and off the counts by tick of it, never off a clock.
 */
import { Corrupt } from '../errors.ts';
import type { ArmId } from '../events.ts';
import type { Experiment } from '../experiment.ts';
import { bucketEndMs, DELAY_BUCKETS, DELAY_TICKS, FIRST_REWARDS } from '../sums/delays.ts';
import type { ExactVector } from '../sums/exact.ts';
import { delayShares } from './delay-shares.ts';
import { DELAYS } from './sums.ts';

type Cohort = readonly [cohort: number, sums: ReadonlyMap<ArmId, ExactVector>];

/** Share of the rewards that has come by an age. */
export type DelayDistribution = (ageMs: number) => number;

/** Slots of one age. */
export interface Aged {
  readonly count: number;
  readonly ageMs: number;
}

/**
 * Cohorts that ended so long before the newest one began that every reward of them lies within the past.
 * @returns cohorts below this one are mature, and stay so.
 */
export function matureBefore(
  { attribution: { windowMs }, cohortMs }: Pick<Experiment, 'attribution' | 'cohortMs'>,
  newest: number,
): number {
  return Math.max(0, Math.floor((newest * cohortMs - windowMs) / cohortMs));
}

/**
 * By cohort, the share of its rewards that has had time to come, so that n · share is its effective exposure: from a
 * Kaplan–Meier estimate over all arms and cohorts (learning/delay-shares.ts), each followed up to its age.
 * @param cohorts the oldest first. @throws Corrupt when one has no delays.
 */
export function shownShares({ attribution, cohortMs }: Experiment, cohorts: readonly Cohort[]): number[] {
  const known = cohorts.map(([cohort, sums]) => ({ cohort, cells: delaysOf(cohort, sums) }));
  const newest = known.at(-1);
  if (newest === undefined) return [];
  const tickMs = cohortMs / DELAY_TICKS;
  const newestTick = newest.cells.subarray(0, FIRST_REWARDS).findLastIndex((count) => count > 0);
  const ticksBack = (cohort: number, tick: number) => (newest.cohort - cohort) * DELAY_TICKS + newestTick - tick;
  const delays = delayDistribution(
    known.map(({ cohort, cells }) => ({
      cells,
      // Of all of the cohort, so of its end; and of the newest tick only the beginning is certain.
      followedMs: ticksBack(cohort, DELAY_TICKS) * tickMs,
    })),
    attribution.windowMs,
  );
  return known.map(({ cohort, cells }) => {
    const aged = Array.from(cells.subarray(0, FIRST_REWARDS), (count, tick) => ({
      count,
      // Now is taken to be the middle of the newest tick; what was dealt in it, on average, half of that ago.
      ageMs: Math.max(ticksBack(cohort, tick), 1 / 4) * tickMs,
    }));
    return effectiveExposure(aged, delays) / aged.reduce((sum, { count }) => sum + count, 0);
  });
}

function delaysOf(cohort: number, sums: Cohort[1]): Float64Array {
  const delays = sums.get(DELAYS);
  if (delays !== undefined) return delays.toNumbers();
  throw new Corrupt('sums', `cohort ${cohort} has no delays, but its experiment corrects for them`);
}

/** Ñ = Σ n · F(age). */
export function effectiveExposure(slots: readonly Aged[], delays: DelayDistribution): number {
  return slots.reduce((sum, { count, ageMs }) => (count === 0 ? sum : sum + count * delays(ageMs)), 0);
}

/** Delays of slots dealt together, and for how long all of them have been followed. */
export interface FollowedDelays {
  /** As sums/delays.ts has them. */
  readonly cells: Float64Array;
  readonly followedMs: number;
}

/**
 * What is beyond the longest delay that any cohort has lived through counts as come: until cohorts are a window old, the
 * shares are those of what comes by the age of the oldest. While nothing is known, all has come.
 */
export function delayDistribution(cohorts: readonly FollowedDelays[], windowMs: number): DelayDistribution {
  const ends = Array.from({ length: DELAY_BUCKETS }, (_, bucket) => bucketEndMs(bucket, windowMs));
  const shares = delayShares(
    cohorts.map(({ cells, followedMs }) => ({
      events: cells.subarray(FIRST_REWARDS),
      intervals: ends.filter((end) => end <= followedMs).length,
    })),
  );
  return (ageMs) => {
    const bucket = ends.findIndex((end) => ageMs < end);
    if (bucket < 0 || bucket >= shares.length) return 1;
    const [from, to] = [ends[bucket - 1] ?? 0, ends[bucket]!];
    const [before, after] = [shares[bucket - 1] ?? 0, shares[bucket]!];
    // Within a bucket, rewards are taken to come evenly.
    return before + ((after - before) * (ageMs - from)) / (to - from);
  };
}
