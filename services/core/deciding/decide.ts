/**
 * One decision: scores → probabilities → sample, a pure function of what is served and what is asked.
 * Nothing else may choose an arm, and the propensity is an entry of the very vector that was drawn from.
 */
import { uniform53 } from '../allocation/hash.ts';
import type { Context } from '../context.ts';
import { Bug, Invalid } from '../errors.ts';
import type { Decision, DecisionId, ExperimentId, UnitId } from '../events.ts';
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
}

/** What a caller adds, since the core has neither chance nor a clock. */
export interface DecisionStamp {
  readonly decisionId: DecisionId;
  readonly decidedAtMs: number;
}

export interface DecisionOutcome {
  readonly decision: Decision;
  /** Of the dealt arm, in the definition. */
  readonly armIndex: number;
  /** Indices of the arms that were drawn from, ascending; only the dealt one when it was not a draw. */
  readonly eligible: readonly number[];
  /** One for each entry of `eligible`, Σ = 1. */
  readonly probabilities: Float64Array;
  /** In [0, 1); `null` when there was no draw. */
  readonly draw: number | null;
  /** Numbers of the context that were cut to the feature range. */
  readonly clipped: number;
}

/**
 * Deals the fallback arm (the first eligible one where that is not eligible) with propensity 1 while there is no
 * snapshot that has the policy and an eligible arm: an arm added since the snapshot is dealt from the next one on.
 * @throws Invalid `experiment-deleted`, `algorithm-unknown`, `arm-unknown`, `arm-retired`, `arms-none`, `context`.
 */
export function decide(served: ServedExperiment, request: DecideRequest, stamp: DecisionStamp): DecisionOutcome {
  const { experiment } = served;
  if (experiment.state === 'deleted') {
    throw new Invalid('experiment-deleted', `experiment ${experiment.id} is deleted`);
  }
  const kind = policyKind(experiment, request.algorithm);
  const allowed = eligibleArms(experiment, request.eligibleArmIds);
  const { features, clipped } = encodeContext(experiment.context, request.context);
  const drawn = drawArm(served, { kind, unitId: request.unitId, features, allowed });
  if (drawn === null) {
    const armIndex = fallbackArm(experiment, allowed);
    const probabilities = Float64Array.of(1);
    const decision = record(served, request, stamp, { kind, features, armIndex, propensity: 1, reason: 'fallback' });
    return { decision, armIndex, eligible: [armIndex], probabilities, draw: null, clipped };
  }
  const { armIndex, propensity, eligible, probabilities, draw } = drawn;
  const decision = record(served, request, stamp, { kind, features, armIndex, propensity, reason: 'bandit' });
  return { decision, armIndex, eligible, probabilities, draw, clipped };
}

export interface DrawRequest {
  readonly kind: string;
  readonly unitId: UnitId;
  /** Encoded context. */
  readonly features: Float64Array;
  /** Indices of arms that may be dealt, ascending. */
  readonly allowed: readonly number[];
}

export interface DrawnArm {
  readonly armIndex: number;
  /** The entry of `probabilities` that was drawn. */
  readonly propensity: number;
  readonly eligible: readonly number[];
  readonly probabilities: Float64Array;
  /** In [0, 1). */
  readonly draw: number;
}

/** @returns `null` when there is no snapshot with that policy and one of those arms. */
export function drawArm({ experiment, snapshot, policies }: ServedExperiment, request: DrawRequest): DrawnArm | null {
  const { kind, unitId, features, allowed } = request;
  const policy = policies.get(kind);
  const eligible = snapshot === null ? [] : allowed.filter((arm) => arm < snapshot.armCount);
  if (snapshot === null || policy === undefined || eligible.length === 0) return null;
  const probabilities = flooredProbabilities(policy, features, eligible, experiment.floor);
  const draw = unitDraw(experiment.id, snapshot.version, kind, unitId);
  const at = sample(probabilities, draw);
  return { armIndex: eligible[at]!, propensity: probabilities[at]!, eligible, probabilities, draw };
}

/** In [0, 1): a unit's own for one snapshot and algorithm. */
export function unitDraw(experimentId: ExperimentId, snapshotVersion: number, kind: string, unitId: UnitId): number {
  return uniform53(`${experimentId}/${snapshotVersion}/${kind}`, unitId);
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

interface Dealt {
  readonly kind: string;
  readonly features: Float64Array;
  readonly armIndex: number;
  readonly propensity: number;
  readonly reason: 'bandit' | 'fallback';
}

function record(served: ServedExperiment, request: DecideRequest, stamp: DecisionStamp, dealt: Dealt): Decision {
  const { experiment, snapshot, policies } = served;
  return {
    decisionId: stamp.decisionId,
    experimentId: experiment.id,
    experimentVersion: experiment.version,
    unitId: request.unitId,
    slots: [{ armId: experiment.arms[dealt.armIndex]!.id, propensity: dealt.propensity }],
    reason: dealt.reason,
    policy: dealt.kind,
    snapshotVersion: snapshot?.version ?? 0,
    pendingExposures: dealt.reason === 'bandit' ? (policies.get(dealt.kind)?.exposures?.count ?? 0) : 0,
    features: Array.from(dealt.features),
    decidedAtMs: stamp.decidedAtMs,
  };
}
