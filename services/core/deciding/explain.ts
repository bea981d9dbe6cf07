/** Shows how a decision came about, by making it again from the same inputs and keeping what is otherwise thrown away. */
import type { ArmId } from '../events.ts';
import { type DecideRequest, type DecisionOutcome, type DecisionStamp, decide } from './decide.ts';
import type { ServedExperiment } from './served.ts';

export interface ExplainedArm {
  readonly armId: ArmId;
  readonly armIndex: number;
  /** The policy's own figure for the arm (mean, upper bound); `null` when the decision was a fallback. */
  readonly score: number | null;
  /** With the floor mixed in; what was drawn from. */
  readonly probability: number;
  /** Of this arm and those before it. The dealt arm is the first whose figure is above the draw. */
  readonly cumulative: number;
  readonly dealt: boolean;
}

export interface Explanation extends DecisionOutcome {
  readonly snapshotDigest: string | null;
  readonly floor: number;
  /** In order of definition, those that were eligible. */
  readonly arms: readonly ExplainedArm[];
}

/** @throws Invalid as `decide` does. */
export function explain(served: ServedExperiment, request: DecideRequest, stamp: DecisionStamp): Explanation {
  const outcome = decide(served, request, stamp);
  const scores = scoresOf(served, outcome);
  let cumulative = 0;
  const arms = outcome.eligible.map((armIndex, i) => {
    const probability = outcome.probabilities[i]!;
    cumulative += probability;
    const armId = served.experiment.arms[armIndex]!.id;
    return {
      armId,
      armIndex,
      score: scores?.[i] ?? null,
      probability,
      cumulative,
      dealt: armIndex === outcome.armIndex,
    };
  });
  return { ...outcome, snapshotDigest: served.snapshot?.digest ?? null, floor: served.experiment.floor, arms };
}

/** Scores behind an outcome, in the order of its `eligible`; `null` for a fallback. Not computed unless asked for. */
export function scoresOf(served: ServedExperiment, outcome: DecisionOutcome): Float64Array | null {
  const { decision, eligible } = outcome;
  const policy = served.policies.get(decision.policy);
  if (decision.reason !== 'bandit' || policy === undefined) return null;
  return policy.scores(Float64Array.from(decision.features), eligible);
}
