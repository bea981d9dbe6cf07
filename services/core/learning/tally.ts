/**
 * What one partition has added up, as it travels: to the merge, and back to whoever takes the partition over.
 */
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
  readonly experimentId: ExperimentId;
  readonly cohort: number;
  readonly sums: CohortSums;
}

/** Says that every tally of the partition is published as of the cut; those with older cuts have not changed since. */
export interface ProgressTally extends Cut {
  readonly kind: 'progress';
  readonly counts: Counts;
}

export type Tally = CohortTally | ProgressTally;

/** Whether everything that `earlier` reflects is reflected by `later` too. */
export function reflectedBy(earlier: PerStream, later: PerStream): boolean {
  return earlier.decisions <= later.decisions && earlier.rewards <= later.rewards;
}
