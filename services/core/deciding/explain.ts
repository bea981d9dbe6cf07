/** Shows how a decision came about, by making it again from the same inputs and keeping what is otherwise thrown away. */
import type { ArmId, Decision } from '../events.ts';
import {
  type DealtSlot,
  type DecideRequest,
  type DecisionOutcome,
  type DecisionStamp,
  decide,
  drawSlots,
  eligibleArms,
} from './decide.ts';
import type { ServedExperiment } from './served.ts';

export interface ExplainedArm {
  readonly armId: ArmId;
  readonly armIndex: number;
  /** The policy's own figure for the arm (mean, upper bound); `null` when the arm was not drawn. */
  readonly score: number | null;
  /** With the floor mixed in; what was drawn from. */
  readonly probability: number;
  /** Of this arm and those before it. The dealt arm is the first whose figure is above the draw. */
  readonly cumulative: number;
  readonly dealt: boolean;
}

export interface ExplainedSlot {
  /** In [0, 1); `null` when there was no draw. */
  readonly draw: number | null;
  /** In order of definition, those that were eligible and not dealt in a slot above. */
  readonly arms: readonly ExplainedArm[];
}

export interface Explanation {
  readonly snapshotDigest: string | null;
  readonly floor: number;
  /** Whether the policy estimated its probabilities by trial; they were drawn from as they are. */
  readonly approximate: boolean;
  /** In order. */
  readonly slots: readonly ExplainedSlot[];
}

/** @throws Invalid as `decide` does. */
export function explain(
  served: ServedExperiment,
  request: DecideRequest,
  stamp: DecisionStamp,
): { readonly outcome: DecisionOutcome; readonly explanation: Explanation } {
  const outcome = decide(served, request, stamp);
  return { outcome, explanation: explanation(served, outcome.decision, outcome.slots) };
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
  const allowed = eligibleArms(served, eligibleArmIds);
  const drawn = drawSlots(served, { unitId, slots: logged.slots.length }, kind, allowed, features);
  return drawn === null ? null : explanation(served, logged, drawn);
}

function explanation(served: ServedExperiment, decision: Decision, slots: readonly DealtSlot[]): Explanation {
  const { experiment, snapshot } = served;
  return {
    snapshotDigest: snapshot?.digest ?? null,
    floor: experiment.floor,
    approximate: decision.reason === 'bandit' && served.policies.get(decision.policy)?.approximate === true,
    slots: slots.map((slot) => explainedSlot(served, slot, scoresOf(served, decision, slot))),
  };
}

function explainedSlot(
  { experiment }: ServedExperiment,
  { armIndex: dealt, eligible, probabilities, draw }: DealtSlot,
  scores: Float64Array | null,
): ExplainedSlot {
  let cumulative = 0;
  const arms = eligible.map((armIndex, i) => {
    const probability = probabilities[i]!;
    cumulative += probability;
    const armId = experiment.arms[armIndex]!.id;
    return { armId, armIndex, score: scores?.[i] ?? null, probability, cumulative, dealt: armIndex === dealt };
  });
  return { draw, arms };
}

/** Scores behind a slot, in the order of its `eligible`; `null` when it was not drawn. Not computed unless asked for. */
export function scoresOf(
  { policies }: ServedExperiment,
  { policy: kind, reason, features }: Decision,
  { eligible }: DealtSlot,
): Float64Array | null {
  const policy = policies.get(kind);
  if (reason !== 'bandit' || policy === undefined) return null;
  return policy.scores(Float64Array.from(features), eligible);
}
