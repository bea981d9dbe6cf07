/**
 * Which cohorts of an experiment need no sums of their own any more, so that an experiment that runs for years keeps a
 * bounded number of them. Decides only; the sums are added up by PartitionSums.
 *
 * Any cohort may be rolled up without changing the total, since what still comes for it goes into the roll-up. What is
 * lost is the age of the sums within it, which only forgetting asks for: so an experiment that forgets is left as it
 * is. One that is told to forget later weighs all that was rolled up until then by the age of the newest cohort in it.
 */
import type { Experiment } from '../experiment.ts';

/**
 * @param lowClockMs the lower of the two log clocks.
 * @param ageMs how long ago a cohort must have ended; beyond the reach of rewards, or the roll-up changes all the time.
 * @returns cohorts below this one can be rolled up; 0 for none.
 */
export function rolledUpBefore(
  { forgetting, cohortMs }: Experiment,
  { lowClockMs, ageMs }: { readonly lowClockMs: number; readonly ageMs: number },
): number {
  if (forgetting !== null) return 0;
  return Math.max(0, Math.floor((lowClockMs - ageMs) / cohortMs));
}
