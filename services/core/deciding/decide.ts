/**
 * One decision: scores → probabilities → sample, a pure function of what is served and what is asked.
 * Nothing else may choose an arm, and the propensity is an entry of the very vector that was drawn from.
 */
import { uniform53 } from '../allocation/hash.ts';
import type { Context } from '../context.ts';
import { Bug, Invalid } from '../errors.ts';
import type { Decision, DecisionId, DecisionReason, ExperimentId, UnitId } from '../events.ts';
import type { Experiment } from '../experiment.ts';
import type { ServingPolicy } from '../policies/policy.ts';
import { encodeContext } from './encode-context.ts';
import type { ServedExperiment } from './served.ts';

export interface DecideRequest {
  readonly unitId: UnitId;
  readonly context: Context;
  /** A policy kind of the experiment; `null` for its first. */
  readonly algorithm: string | null;
  /** `null` for all active arms. */
  readonly eligibleArmIds: readonly string[] | null;
  /** How many arms to deal, from 1 to the experiment's `slots`. */
  readonly slots: number;
}

/** What a caller adds, since the core has neither chance nor a clock. */
export interface DecisionStamp {
  readonly decisionId: DecisionId;
  readonly decidedAtMs: number;
}

/** One slot, and how its arm was found. */
export interface DealtSlot {
  /** Of the dealt arm, in the definition. */
  readonly armIndex: number;
  /** The entry of `probabilities` that was drawn: given the slots above, so that their product is the probability of all. */
  readonly propensity: number;
  /** Indices of the arms that were drawn from, ascending; only the dealt one when it was not a draw. */
  readonly eligible: readonly number[];
  /** One for each entry of `eligible`, Σ = 1. */
  readonly probabilities: Float64Array;
  /** In [0, 1); `null` when there was no draw. */
  readonly draw: number | null;
}

export interface DecisionOutcome {
  readonly decision: Decision;
  /** Those of the decision, in order; each arm once. */
  readonly slots: readonly DealtSlot[];
  /** Numbers of the context that were cut to the feature range. */
  readonly clipped: number;
}

/**
 * Deals as many slots as asked for, or as there are arms to deal. Units of the holdout get its arm, whatever was learned.
 * While there is no snapshot that has the policy and an eligible arm, the fallback arm is dealt: an arm added since the
 * snapshot is dealt from the next one on. Holdout or fallback, the dealt arm is the first eligible one where the named one
 * is not eligible, further slots take the other eligible arms in order of definition, and all have propensity 1.
 * @throws Invalid `experiment-deleted`, `algorithm-unknown`, `slots-range`, `arm-unknown`, `arm-retired`, `arms-none`,
 *   `context`.
 */
export function decide(served: ServedExperiment, request: DecideRequest, stamp: DecisionStamp): DecisionOutcome {
  const { experiment, snapshot } = served;
  if (experiment.state === 'deleted') {
    throw new Invalid('experiment-deleted', `experiment ${experiment.id} is deleted`);
  }
  const kind = policyKind(experiment, request.algorithm);
  checkSlots(experiment, request.slots);
  const allowed = eligibleArms(experiment, request.eligibleArmIds);
  const { features, clipped } = encodeContext(experiment.context, request.context);
  const { unitId } = request;
  const { reason, slots } = deal(served, { kind, unitId, features, allowed, slots: request.slots });
  const decision: Decision = {
    decisionId: stamp.decisionId,
    experimentId: experiment.id,
    experimentVersion: experiment.version,
    unitId,
    slots: slots.map(({ armIndex, propensity }) => ({ armId: experiment.arms[armIndex]!.id, propensity })),
    reason,
    policy: kind,
    snapshotVersion: snapshot?.version ?? 0,
    pendingExposures: reason === 'bandit' ? (served.policies.get(kind)?.exposures?.count ?? 0) : 0,
    features: Array.from(features),
    decidedAtMs: stamp.decidedAtMs,
  };
  return { decision, slots, clipped };
}

export interface DrawRequest {
  readonly kind: string;
  readonly unitId: UnitId;
  /** Encoded context. */
  readonly features: Float64Array;
  /** Indices of arms that may be dealt, ascending. */
  readonly allowed: readonly number[];
  /** How many to deal, at least 1. */
  readonly slots: number;
}

interface Deal {
  readonly reason: DecisionReason;
  readonly slots: readonly DealtSlot[];
}

function deal(served: ServedExperiment, request: DrawRequest): Deal {
  const { experiment } = served;
  const { unitId, allowed, slots } = request;
  if (isHeldOut(experiment, unitId)) {
    const held = allowed.find((index) => experiment.arms[index]!.id === experiment.holdout!.armId);
    return held === undefined
      ? { reason: 'fallback', slots: certainSlots(fallbackArm(experiment, allowed), allowed, slots) }
      : { reason: 'holdout', slots: certainSlots(held, allowed, slots) };
  }
  const drawn = drawSlots(served, request);
  if (drawn !== null) return { reason: 'bandit', slots: drawn };
  return { reason: 'fallback', slots: certainSlots(fallbackArm(experiment, allowed), allowed, slots) };
}

/**
 * Slot by slot, each from the policy's probabilities over the arms that the slots above have left, with a draw of its own.
 * The propensities are therefore conditional on the slots above, as in conditional contextual bandits (Vowpal Wabbit's CCB).
 * @returns `null` when there is no snapshot with that policy and one of those arms.
 */
export function drawSlots(
  { experiment, snapshot, policies }: ServedExperiment,
  { kind, unitId, features, allowed, slots }: DrawRequest,
): readonly DealtSlot[] | null {
  const policy = policies.get(kind);
  let left = snapshot === null ? [] : allowed.filter((arm) => arm < snapshot.armCount);
  if (snapshot === null || policy === undefined || left.length === 0) return null;
  const dealt: DealtSlot[] = [];
  for (let slot = 0; slot < slots && left.length > 0; slot++) {
    const eligible = left;
    const probabilities = flooredProbabilities(policy, features, eligible, experiment.floor);
    const draw = unitDraw({ experimentId: experiment.id, snapshotVersion: snapshot.version, kind, unitId, slot });
    const at = sample(probabilities, draw);
    dealt.push({ armIndex: eligible[at]!, propensity: probabilities[at]!, eligible, probabilities, draw });
    if (slot + 1 < slots) left = eligible.toSpliced(at, 1);
  }
  return dealt;
}

export interface Drawn {
  readonly experimentId: ExperimentId;
  readonly snapshotVersion: number;
  readonly kind: string;
  readonly unitId: UnitId;
  /** From 0. */
  readonly slot: number;
}

/** In [0, 1): a unit's own for one snapshot, algorithm and slot. */
export function unitDraw({ experimentId, snapshotVersion, kind, unitId, slot }: Drawn): number {
  const salt = `${experimentId}/${snapshotVersion}/${kind}`;
  return uniform53(slot === 0 ? salt : `${salt}/${slot}`, unitId);
}

/** Whether a unit belongs to the holdout: for as long as the experiment and the share last. */
export function isHeldOut({ id, holdout }: Experiment, unitId: UnitId): boolean {
  return holdout !== null && uniform53(`${id}/holdout`, unitId) < holdout.share;
}

/** Nothing was drawn: the first arm, then the others in order of definition. */
function certainSlots(first: number, allowed: readonly number[], slots: number): readonly DealtSlot[] {
  const dealt = [first];
  for (let i = 0; dealt.length < slots && i < allowed.length; i++) if (allowed[i] !== first) dealt.push(allowed[i]!);
  return dealt.map((armIndex) => ({
    armIndex,
    propensity: 1,
    eligible: [armIndex],
    probabilities: Float64Array.of(1),
    draw: null,
  }));
}

function checkSlots({ id, slots: slotsMax }: Experiment, slots: number): void {
  if (Number.isInteger(slots) && slots >= 1 && slots <= slotsMax) return;
  throw new Invalid('slots-range', `experiment ${id}: ${slots} slots are asked for, allowed 1 to ${slotsMax}`);
}

/** The policy's probabilities, mixed with `floor` spread evenly over the eligible arms, Σ = 1 ± 1e-12. */
export function flooredProbabilities(
  policy: ServingPolicy,
  features: Float64Array,
  eligible: readonly number[],
  floor: number,
): Float64Array {
  const probabilities = policy.probabilities(features, eligible);
  // Not asserted: a message for every decision would take longer than the decision.
  if (probabilities.length !== eligible.length) {
    throw new Bug(`${probabilities.length} probabilities for ${eligible.length} arms`);
  }
  let total = 0;
  for (let i = 0; i < probabilities.length; i++) total += probabilities[i]!;
  if (!(Math.abs(total - 1) <= 1e-9)) throw new Bug(`probabilities add up to ${total}`);
  const share = floor / probabilities.length;
  for (let i = 0; i < probabilities.length; i++) {
    // Rounding must not lift a certain arm above 1.
    probabilities[i] = Math.min(((1 - floor) * probabilities[i]!) / total + share, 1);
  }
  return probabilities;
}

/** Inverse distribution function: the first entry at which the running sum passes the draw. Never one of probability 0. */
export function sample(probabilities: Float64Array, draw: number): number {
  let passed = 0;
  let last = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] === 0) continue;
    passed += probabilities[i]!;
    if (draw < passed) return i;
    last = i;
  }
  // The sum rounded to just below 1 and the draw fell in between.
  return last;
}

/** @param algorithm `null` for the first. @throws Invalid `algorithm-unknown`. */
export function policyKind(experiment: Experiment, algorithm: string | null): string {
  const kinds = experiment.policies.map((spec) => spec.kind);
  const kind = algorithm ?? kinds[0];
  if (kind !== undefined && kinds.includes(kind)) return kind;
  throw new Invalid(
    'algorithm-unknown',
    `experiment ${experiment.id} has no algorithm ${kind}, allowed are ${kinds.join(', ')}`,
  );
}

/** @returns indices, ascending, at least one. @throws Invalid `arm-unknown`, `arm-retired`, `arms-none`. */
export function eligibleArms(experiment: Experiment, armIds: readonly string[] | null): readonly number[] {
  const asked = armIds === null ? null : new Set(armIds);
  const eligible: number[] = [];
  for (let index = 0; index < experiment.arms.length; index++) {
    const arm = experiment.arms[index]!;
    if (asked !== null && !asked.delete(arm.id)) continue;
    if (arm.state === 'active') {
      eligible.push(index);
    } else if (asked !== null) {
      throw new Invalid('arm-retired', `experiment ${experiment.id}: arm ${arm.id} is retired and cannot be eligible`);
    }
  }
  for (const unknown of asked ?? []) {
    const known = experiment.arms.filter((arm) => arm.state === 'active').map((arm) => arm.id);
    throw new Invalid('arm-unknown', `experiment ${experiment.id} has no arm ${unknown}, allowed are ${listed(known)}`);
  }
  if (eligible.length > 0) return eligible;
  throw new Invalid('arms-none', `experiment ${experiment.id}: no arm is eligible, at least one active arm is needed`);
}

const LISTED_MAX = 20;

function listed(ids: readonly string[]): string {
  const more = ids.length - LISTED_MAX;
  return ids.slice(0, LISTED_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function fallbackArm(experiment: Experiment, eligible: readonly number[]): number {
  return eligible.find((index) => experiment.arms[index]!.id === experiment.fallbackArmId) ?? eligible[0]!;
}
