/**
 * The events that flow through the log, as the core sees them: parsed, bounded, readonly.
 * Not here: bytes (contracts) and meaning over time (join, learning).
 */

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

export type ExperimentId = Branded<string, 'ExperimentId'>;
export type ArmId = Branded<string, 'ArmId'>;
export type UnitId = Branded<string, 'UnitId'>;
export type DecisionId = Branded<string, 'DecisionId'>;
export type RewardId = Branded<string, 'RewardId'>;

/**
 * Why this arm was dealt. Only `bandit` decisions were drawn from a policy's probabilities; a `shadow` decision was never
 * dealt, so it owns no reward and is not learned from.
 */
export const DECISION_REASONS = ['bandit', 'fallback', 'holdout', 'shadow', 'forced'] as const;
export type DecisionReason = (typeof DECISION_REASONS)[number];

export interface Slot {
  readonly armId: ArmId;
  /** The probability in (0, 1] from which this arm was drawn for this slot. */
  readonly propensity: number;
}

export interface Decision {
  readonly decisionId: DecisionId;
  readonly experimentId: ExperimentId;
  /** Version of the definition that the decider held; from 1. */
  readonly experimentVersion: number;
  readonly unitId: UnitId;
  /** At least one, each with an arm of its own. Each is learned from by itself. */
  readonly slots: readonly Slot[];
  readonly reason: DecisionReason;
  /** Kind of the policy that produced the propensities. */
  readonly policy: string;
  /** Version of the snapshot decided from; 0 when there was none. */
  readonly snapshotVersion: number;
  /**
   * How many arms dealt since the snapshot the decider had counted in (policies/policy.ts); 0 when the propensities follow
   * from the snapshot alone.
   */
  readonly pendingExposures: number;
  /** Encoded context, length d, on the feature grid; empty when the experiment declares no context. */
  readonly features: readonly number[];
  readonly decidedAtMs: number;
}

export interface Reward {
  readonly rewardId: RewardId;
  /** A higher revision of the same rewardId replaces a lower one; from 0. */
  readonly revision: number;
  readonly unitId: UnitId;
  readonly metric: string;
  /** `null` retracts the reward. */
  readonly value: number | null;
  readonly occurredAtMs: number;
  /** Names the decision it belongs to; without it the reward is attributed by unit. */
  readonly decisionId: DecisionId | null;
  /** Without it the reward reaches every experiment that learns from its metric. */
  readonly experimentId: ExperimentId | null;
  /** Fits only decisions that dealt this arm, and counts for its slot alone; without it, for every slot. */
  readonly armId: ArmId | null;
}

/** The two input streams; each has its own offsets and its own log clock. */
export const STREAMS = ['decisions', 'rewards'] as const;
export type Stream = (typeof STREAMS)[number];

/** One number for each input stream of a partition: next offsets, or log clocks in ms. */
export interface PerStream {
  readonly decisions: number;
  readonly rewards: number;
}

/** Before the first record of either stream, as offsets and as clocks. */
export const AT_START: PerStream = { decisions: 0, rewards: 0 };

export type InputEvent =
  | { readonly stream: 'decisions'; readonly clockMs: number; readonly decision: Decision }
  | { readonly stream: 'rewards'; readonly clockMs: number; readonly reward: Reward };
