/** Shows how a decision came about, by making it again from the same inputs and keeping what is otherwise thrown away. */
import type { ArmId, Decision } from '../events.ts';
import {
  type DecideRequest,
  type DecisionOutcome,
  type DecisionStamp,
  decide,
  drawArm,
  eligibleArms,
} from './decide.ts';
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

export interface Explanation {
  readonly snapshotDigest: string | null;
  readonly floor: number;
  /** In [0, 1); `null` when there was no draw. */
  readonly draw: number | null;
  /** In order of definition, those that were eligible. */
  readonly arms: readonly ExplainedArm[];
}

/** @throws Invalid as `decide` does. */
export function explain(
  served: ServedExperiment,
  request: DecideRequest,
  stamp: DecisionStamp,
): DecisionOutcome & Explanation {
  const outcome = decide(served, request, stamp);
  return { ...outcome, ...explanation(served, outcome, scoresOf(served, outcome)) };
}

/**
 * The same for a decision that was logged, from the features that it carries.
 * @param served the definition and the snapshot of the versions that it names.
 * @param eligibleArmIds as the request had them, which the log does not keep; `null` for all active arms.
 * @returns `null` when those could not have drawn it: it was not a draw, they are other versions, or the decider had
 *   exposures of its own counted in, which no log keeps.
 * @throws Invalid `arm-unknown`, `arm-retired`, `arms-none`.
 */
export function explainLogged(
  served: ServedExperiment,
  logged: Decision,
  eligibleArmIds: readonly string[] | null,
): Explanation | null {
  const { policy: kind, unitId, reason, pendingExposures } = logged;
  if (reason !== 'bandit' || pendingExposures > 0) return null;
  const features = Float64Array.from(logged.features);
  const allowed = eligibleArms(served.experiment, eligibleArmIds);
  const drawn = drawArm(served, { kind, unitId, features, allowed });
  if (drawn === null) return null;
  return explanation(served, drawn, served.policies.get(kind)!.scores(features, drawn.eligible));
}

function explanation(
  { experiment, snapshot }: ServedExperiment,
  {
    armIndex: dealt,
    eligible,
    probabilities,
    draw,
  }: Pick<DecisionOutcome, 'armIndex' | 'eligible' | 'probabilities' | 'draw'>,
  scores: Float64Array | null,
): Explanation {
  let cumulative = 0;
  const arms = eligible.map((armIndex, i) => {
    const probability = probabilities[i]!;
    cumulative += probability;
    const armId = experiment.arms[armIndex]!.id;
    return { armId, armIndex, score: scores?.[i] ?? null, probability, cumulative, dealt: armIndex === dealt };
  });
  return { snapshotDigest: snapshot?.digest ?? null, floor: experiment.floor, draw, arms };
}

/** Scores behind an outcome, in the order of its `eligible`; `null` for a fallback. Not computed unless asked for. */
export function scoresOf(served: ServedExperiment, outcome: DecisionOutcome): Float64Array | null {
  const { decision, eligible } = outcome;
  const policy = served.policies.get(decision.policy);
  if (decision.reason !== 'bandit' || policy === undefined) return null;
  return policy.scores(Float64Array.from(decision.features), eligible);
}
