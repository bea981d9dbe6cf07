/**
 * What one partition has added up, as it travels: to the merge, and back to whoever takes the partition over.
 */
import { Corrupt } from '../errors.ts';
import type { ExperimentId, PerStream } from '../events.ts';
import type { Counts } from './counts.ts';
import type { CohortSums } from './sums.ts';

interface Cut {
  readonly partition: number;
  /** Partition count of the input topics. */
  readonly partitions: number;
  /** Next offsets: every record below them is reflected, none from them on. */
  readonly offsets: PerStream;
  readonly clocks: PerStream;
}

/** Sums of one (experiment, cohort) of a partition, as of the cut. */
export interface CohortTally extends Cut {
  readonly kind: 'sums';
  /** A line of sums, see `lineOf`. */
  readonly experimentId: ExperimentId;
  readonly cohort: number;
  /** Whether they are the sums of that cohort and all before it; there is one such tally at most. */
  readonly rolledUp: boolean;
  /** How many tallies of the experiment changed at this cut; the sums are the cut's once all of them are known. */
  readonly changedTogether: number;
  readonly sums: CohortSums;
}

/** Says that every tally of the partition is published as of the cut; those with older cuts have not changed since. */
export interface ProgressTally extends Cut {
  readonly kind: 'progress';
  readonly counts: Counts;
  /** The promoted lines whose tallies are among them, sorted; a line that is not begins with the cuts of its promotion. */
  readonly lines: readonly ExperimentId[];
}

export type Tally = CohortTally | ProgressTally;

export function isSameCut(a: PerStream, b: PerStream): boolean {
  return a.decisions === b.decisions && a.rewards === b.rewards;
}

/** Whether everything that `earlier` reflects is reflected by `later` too. */
export function reflectedBy(earlier: PerStream, later: PerStream): boolean {
  return earlier.decisions <= later.decisions && earlier.rewards <= later.rewards;
}

/**
 * Whether a cohort's tally does not count any more, because a roll-up has taken it in.
 * @throws Corrupt when it reflects more than the roll-up: then they are not of one line of owners.
 */
export function covers(rolledUp: CohortTally | undefined, tally: CohortTally): boolean {
  if (rolledUp === undefined || tally.rolledUp || tally.cohort > rolledUp.cohort) return false;
  if (reflectedBy(tally.offsets, rolledUp.offsets)) return true;
  throw new Corrupt(
    'tallies-diverge',
    `experiment ${tally.experimentId}, partition ${tally.partition}: cohort ${tally.cohort} at ` +
      `${JSON.stringify(tally.offsets)} reflects more than the roll-up through ${rolledUp.cohort} at ${JSON.stringify(rolledUp.offsets)}`,
  );
}
