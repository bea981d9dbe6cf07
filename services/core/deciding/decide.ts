/**
 * One decision: scores → probabilities → sample, a pure function of what is served and what is asked.
 * Nothing else may choose an arm, and the propensity is an entry of the very vector that was drawn from.
 */
import { uniform53 } from '../allocation/hash.ts';
import type { Context } from '../context.ts';
import { Bug, Invalid } from '../errors.ts';
import type { ArmId, Decision, DecisionId, ExperimentId, Slot, UnitId } from '../events.ts';
import type { Experiment } from '../experiment.ts';
import type { ServingPolicy } from '../policies/policy.ts';
import { encodeContextInto } from './encode-context.ts';
import { drawSalt, type ServedExperiment } from './served.ts';

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
  const allowed = eligibleArms(served, request.eligibleArmIds);
  const features = served.scratch;
  const clipped = encodeContextInto(features, experiment.context, request.context);
  const { unitId } = request;
  const heldOut = isHeldOut(experiment, unitId);
  const drawn = heldOut ? null : drawSlots(served, request, kind, allowed, features);
  const slots = drawn ?? certainSlots(certainArm(experiment, allowed, heldOut), allowed, request.slots);
  const reason = drawn === null ? certainReason(experiment, slots[0]!.armIndex, heldOut) : 'bandit';
  const decision: Decision = {
    decisionId: stamp.decisionId,
    experimentId: experiment.id,
    experimentVersion: experiment.version,
    unitId,
    slots: recorded(experiment, slots),
    reason,
    policy: kind,
    snapshotVersion: snapshot?.version ?? 0,
    pendingExposures: reason === 'bandit' ? (served.policies.get(kind)?.exposures?.count ?? 0) : 0,
    features: listOf(features),
    decidedAtMs: stamp.decidedAtMs,
  };
  return { decision, slots, clipped };
}

/**
 * Slot by slot, each from the policy's probabilities over the arms that the slots above have left, with a draw of its own.
 * The propensities are therefore conditional on the slots above, as in conditional contextual bandits (Vowpal Wabbit's CCB).
 * @param allowed indices of arms that may be dealt, ascending, at least one. @param features encoded context.
 * @returns `null` when there is no snapshot with that policy and one of those arms.
 */
export function drawSlots(
  served: ServedExperiment,
  { unitId, slots }: Pick<DecideRequest, 'unitId' | 'slots'>,
  kind: string,
  allowed: readonly number[],
  features: Float64Array,
): readonly DealtSlot[] | null {
  const { snapshot, policies } = served;
  const policy = policies.get(kind);
  if (snapshot === null || policy === undefined) return null;
  const { armCount } = snapshot;
  let left = allowed.at(-1)! < armCount ? allowed : allowed.filter((arm) => arm < armCount);
  if (left.length === 0) return null;
  const salt = served.salts.get(kind)!;
  const { floor } = served.experiment;
  const dealt = [drawSlot(flooredProbabilities(policy, features, left, floor), left, slotDraw(salt, unitId, 0))];
  while (dealt.length < slots && left.length > 1) {
    const taken = dealt.at(-1)!.armIndex;
    left = left.filter((arm) => arm !== taken);
    const draw = slotDraw(salt, unitId, dealt.length);
    dealt.push(drawSlot(flooredProbabilities(policy, features, left, floor), left, draw));
  }
  return dealt;
}

function drawSlot(probabilities: Float64Array, eligible: readonly number[], draw: number): DealtSlot {
  const at = sample(probabilities, draw);
  return { armIndex: eligible[at]!, propensity: probabilities[at]!, eligible, probabilities, draw };
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
  return slotDraw(drawSalt(experimentId, snapshotVersion, kind), unitId, slot);
}

function slotDraw(salt: string, unitId: UnitId, slot: number): number {
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
  const { policies } = experiment;
  if (algorithm === null && policies.length > 0) return policies[0]!.kind;
  for (let i = 0; i < policies.length; i++) if (policies[i]!.kind === algorithm) return algorithm;
  const kinds = policies.map(({ kind }) => kind).join(', ');
  throw new Invalid(
    'algorithm-unknown',
    `experiment ${experiment.id} has no algorithm ${algorithm}, allowed are ${kinds}`,
  );
}

/** @returns indices, ascending, at least one. @throws Invalid `arm-unknown`, `arm-retired`, `arms-none`. */
export function eligibleArms(
  { experiment, active }: Pick<ServedExperiment, 'experiment' | 'active'>,
  armIds: readonly string[] | null,
): readonly number[] {
  const eligible = armIds === null ? active : namedArms(experiment, armIds);
  if (eligible.length > 0) return eligible;
  throw new Invalid('arms-none', `experiment ${experiment.id}: no arm is eligible, at least one active arm is needed`);
}

function namedArms(experiment: Experiment, armIds: readonly string[]): readonly number[] {
  const asked = new Set(armIds);
  const named: number[] = [];
  for (let index = 0; index < experiment.arms.length; index++) {
    const arm = experiment.arms[index]!;
    if (!asked.delete(arm.id)) continue;
    if (arm.state === 'retired') {
      throw new Invalid('arm-retired', `experiment ${experiment.id}: arm ${arm.id} is retired and cannot be eligible`);
    }
    named.push(index);
  }
  for (const unknown of asked) {
    const known = experiment.arms.filter((arm) => arm.state === 'active').map((arm) => arm.id);
    throw new Invalid('arm-unknown', `experiment ${experiment.id} has no arm ${unknown}, allowed are ${listed(known)}`);
  }
  return named;
}

const LISTED_MAX = 20;

function listed(ids: readonly string[]): string {
  const more = ids.length - LISTED_MAX;
  return ids.slice(0, LISTED_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** The arm dealt without a draw: the named one, or the first eligible one. */
function certainArm(
  { arms, fallbackArmId, holdout }: Experiment,
  eligible: readonly number[],
  heldOut: boolean,
): number {
  const named = (armId: ArmId) => eligible.find((index) => arms[index]!.id === armId);
  return (heldOut ? named(holdout!.armId) : undefined) ?? named(fallbackArmId) ?? eligible[0]!;
}

function certainReason({ arms, holdout }: Experiment, armIndex: number, heldOut: boolean): 'holdout' | 'fallback' {
  return heldOut && arms[armIndex]!.id === holdout!.armId ? 'holdout' : 'fallback';
}

/** As a map would, without a closure for each decision. */
function recorded({ arms }: Experiment, slots: readonly DealtSlot[]): Slot[] {
  const list = new Array<Slot>(slots.length);
  for (let i = 0; i < slots.length; i++) {
    const { armIndex, propensity } = slots[i]!;
    list[i] = { armId: arms[armIndex]!.id, propensity };
  }
  return list;
}

/** As Array.from, without an object for each number. */
function listOf(values: Float64Array): number[] {
  const list = new Array<number>(values.length);
  for (let i = 0; i < values.length; i++) list[i] = values[i]!;
  return list;
}
