/**
 * Which cohorts of an experiment need no sums of their own any more, so that an experiment that runs for years keeps a
 * bounded number of them. Decides only; the sums are added up by PartitionSums and MergedSums.
 *
 * Any cohort may be rolled up without changing the total, since what still comes for it goes into the roll-up. What is
 * lost is the age of the sums within it. Forgetting asks for that of all: so an experiment that forgets is left as it is.
 * Delays ask for it until a cohort is mature by the experiment's own clock, which stands still while it deals nothing.
 * One that begins to forget later takes all that was old by then as of one age, rolled up or not: snapshots must not
 * depend on what some learner had rolled up.
 */
import type { Experiment } from '../experiment.ts';
import { matureBefore } from './delay.ts';

const DAY_MS = 86_400_000;
/** Cohorts that ended so long before an experiment began to forget are of one age. */
export const ONE_AGE_MS = 60 * DAY_MS;
/** Least age to roll up in earnest: a day to spare for a learner that reads a definition late. */
export const ROLL_UP_AGE_MS_MIN = ONE_AGE_MS + DAY_MS;

export interface KnownTimes {
  /** The lower of the two log clocks. */
  readonly lowClockMs: number;
  /** The partition's newest cohort of the experiment; `null` without any. */
  readonly newestCohort: number | null;
}

/**
 * @param ageMs how long ago a cohort must have ended; beyond the reach of rewards, or the roll-up changes all the time.
 * @returns cohorts below this one can be rolled up; 0 for none.
 */
export function rolledUpBefore(
  experiment: Experiment,
  { lowClockMs, newestCohort }: KnownTimes,
  ageMs: number,
): number {
  const { forgetting, cohortMs, reward } = experiment;
  if (forgetting !== null || newestCohort === null) return 0;
  const old = cohortAt(lowClockMs - ageMs, cohortMs);
  switch (reward.delay) {
    case 'impute':
    case 'labelled':
      return old;
    case 'mature':
    case 'delay-corrected':
      // No partition's newest cohort is newer than the experiment's.
      return Math.min(old, matureBefore(experiment, newestCohort));
  }
}

/** @returns cohorts below this one are weighed as of one age; 0 for none. */
export function ofOneAgeBefore({ forgetting, cohortMs, appliedAtMs }: Experiment): number {
  // One that always forgot has never been rolled up.
  if (forgetting === null || forgetting.sinceVersion === 1) return 0;
  return cohortAt(appliedAtMs[forgetting.sinceVersion - 1]! - ONE_AGE_MS, cohortMs);
}

function cohortAt(timeMs: number, cohortMs: number): number {
  return Math.max(0, Math.floor(timeMs / cohortMs));
}
