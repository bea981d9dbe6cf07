/** Decisions between their core type and their Avro record; both directions check. */
import {
  type ArmId,
  DECISION_REASONS,
  type Decision,
  type DecisionId,
  type DecisionReason,
  type ExperimentId,
  type UnitId,
} from '../core/events.ts';
import { FEATURE_UNITS, quantizeFeature } from '../core/quantize.ts';
import { counted, propensity, text, timeMs, whole } from './checks.ts';
import { FEATURES_MAX, SLOTS_MAX } from './limits.ts';
import { refuse } from './refusals.ts';

export interface DecisionRecord {
  readonly decisionId: string;
  readonly experimentId: string;
  readonly experimentVersion: number;
  readonly unitId: string;
  readonly slots: readonly { readonly armId: string; readonly propensity: number }[];
  readonly reason: string;
  readonly policy: string;
  readonly snapshotVersion: number;
  readonly pendingExposures: number;
  readonly features: readonly number[];
  readonly decidedAtMs: number;
}

export function toDecision(decision: Decision): DecisionRecord {
  return fromDecision(decision);
}

/** Features that are off the grid are rounded to it, as whatever learns from them would. */
export function fromDecision(raw: DecisionRecord): Decision {
  return {
    decisionId: text('decisionId', raw.decisionId) as DecisionId,
    experimentId: text('experimentId', raw.experimentId) as ExperimentId,
    experimentVersion: whole('experimentVersion', raw.experimentVersion, { min: 1 }),
    unitId: text('unitId', raw.unitId) as UnitId,
    slots: counted('slots-range', 'slots', raw.slots, 1, SLOTS_MAX).map((slot) => ({
      armId: text('armId', slot.armId) as ArmId,
      propensity: propensity('propensity', slot.propensity),
    })),
    reason: reason(raw.reason),
    policy: text('policy', raw.policy),
    snapshotVersion: whole('snapshotVersion', raw.snapshotVersion, { min: 0 }),
    pendingExposures: whole('pendingExposures', raw.pendingExposures, { min: 0 }),
    features: counted('feature-range', 'features', raw.features, 0, FEATURES_MAX).map(
      (feature) => quantizeFeature(feature) / FEATURE_UNITS,
    ),
    decidedAtMs: timeMs('decidedAtMs', raw.decidedAtMs),
  };
}

function reason(value: string): DecisionReason {
  const known = DECISION_REASONS.find((candidate) => candidate === value);
  if (known === undefined) refuse('unknown-reason', `reason ${value}, allowed ${DECISION_REASONS.join(', ')}`);
  return known;
}
