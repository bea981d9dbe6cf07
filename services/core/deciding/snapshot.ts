/**
 * A snapshot as the core sees it: what the learner publishes for one experiment and the decider decides from.
 * Not here: its bytes, chunks and digest (contracts), nor how it is built from sums (learning).
 */
import type { ArmId, ExperimentId, PerStream } from '../events.ts';
import type { PolicyState } from '../policies/policy.ts';

/** What the sums say of one arm or of the holdout, in natural units: rewards in [0, 1]. */
export interface Statistics {
  /** Slots dealt, whether or not they count yet. */
  readonly pulls: number;
  /** Decisions whose reward counts; where delays are corrected for, their effective exposure (learning/delay.ts). */
  readonly n: number;
  /** Σ r over them. */
  readonly sumR: number;
  /** Σ r² over them. */
  readonly sumRR: number;
}

export interface ArmStatistics extends Statistics {
  readonly armId: ArmId;
}

export interface PreparedPolicy {
  readonly kind: string;
  /** Validated, defaults filled in. */
  readonly parameters: ReadonlyMap<string, number>;
  readonly state: PolicyState;
}

export interface ParametersSnapshot {
  readonly experimentId: ExperimentId;
  /** Version of the definition it was built from. */
  readonly experimentVersion: number;
  /** Total input events reflected, from 1; a reader never goes back to a smaller one. */
  readonly version: number;
  /** Of sums and parameters, lower-case hex. */
  readonly digest: string;
  /** The log clock that the digest is stated for. */
  readonly clockMs: number;
  /** Next offsets of each input partition, ascending by partition. */
  readonly offsets: readonly ({ readonly partition: number } & PerStream)[];
  /** In definition order, retired ones included; blocks of every policy's state are indexed alike. */
  readonly arms: readonly ArmStatistics[];
  /** Of the units that were held out, which the arms' statistics leave out; `null` while there are none. */
  readonly holdout: Statistics | null;
  /** In definition order; the first is the default. */
  readonly policies: readonly PreparedPolicy[];
}
