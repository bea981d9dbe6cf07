/** An experiment, its snapshot and requests for deciding tests. */
import type { DecideRequest, DecisionStamp } from '../../../../services/core/deciding/decide.ts';
import type { ParametersSnapshot } from '../../../../services/core/deciding/snapshot.ts';
import type { ArmId, DecisionId, ExperimentId, UnitId } from '../../../../services/core/events.ts';
import { contextDimension, type Experiment } from '../../../../services/core/experiment.ts';
import type { PolicyInput } from '../../../../services/core/policies/policy.ts';
import { findPolicy, validateParameters } from '../../../../services/core/policies/registry.ts';
import { gramStart, N, PULLS, SUM_R, SUM_RR, sumsLayout } from '../../../../services/core/sums/layout.ts';
import { rewardSpec } from '../../../support/reward-spec.ts';

const DAY_MS = 86_400_000;

/** Four active arms A to D, D the fallback; up to three slots; three policies, Beta TS the default; two features; floor .04. */
export function experiment(changes: Partial<Experiment> = {}): Experiment {
  return {
    id: 'coupon' as ExperimentId,
    version: 3,
    state: 'active',
    arms: ['A', 'B', 'C', 'D'].map((id) => arm(id)),
    layout: null,
    policies: ['beta-ts', 'ucb1', 'linucb'].map((kind) => ({
      kind,
      parameters: validateParameters(findPolicy(kind), new Map()),
    })),
    floor: 0.04,
    fallbackArmId: 'D' as ArmId,
    slots: 3,
    holdout: null,
    context: [
      { kind: 'number', name: 'age', mean: 40, scale: 10 },
      { kind: 'boolean', name: 'returning' },
    ],
    reward: rewardSpec({ max: 1 }),
    attribution: { model: 'last-touch', windowMs: DAY_MS },
    cohortMs: DAY_MS,
    forgetting: null,
    prior: [],
    pendingExposure: true,
    promotion: null,
    appliedAtMs: [0, 1, 2],
    ...changes,
  };
}

export function arm(id: string, state: 'active' | 'retired' = 'active'): Experiment['arms'][number] {
  return { id: id as ArmId, state, sinceVersion: 1, attributes: new Map() };
}

/** Arm i was dealt 20 times and earned 4 + 2i. */
export function snapshot(of: Experiment, version = 17): ParametersSnapshot {
  const input = sums(of);
  return {
    experimentId: of.id,
    experimentVersion: of.version,
    version,
    digest: 'd1ge57',
    clockMs: 1_000,
    offsets: [{ partition: 0, decisions: 10, rewards: 7 }],
    arms: input.armIds.map((armId, i) => ({ armId, pulls: 20, n: 20, sumR: 4 + 2 * i, sumRR: 4 + 2 * i })),
    holdout: null,
    policies: of.policies.map(({ kind, parameters }) => ({
      kind,
      parameters,
      state: findPolicy(kind).prepare(input, parameters),
    })),
  };
}

function sums(of: Experiment): PolicyInput {
  const layout = sumsLayout(contextDimension(of.context));
  const vectors = of.arms.map((_, i) => {
    const vector = new Float64Array(layout.size);
    vector[PULLS] = 20;
    vector[N] = 20;
    vector[SUM_R] = 4 + 2 * i;
    vector[SUM_RR] = 4 + 2 * i;
    if (layout.dimension > 0) {
      vector[gramStart(layout)] = 20;
      vector[gramStart(layout) - layout.dimension] = 4 + 2 * i;
    }
    return vector;
  });
  const armIds = of.arms.map(({ id }) => id);
  return { layout, armIds, attributes: of.arms.map(({ attributes }) => attributes), sums: vectors };
}

export function request(changes: Partial<DecideRequest> & { readonly unit?: string } = {}): DecideRequest {
  const { unit = 'user-1', ...rest } = changes;
  const context = new Map<string, number | boolean>([
    ['age', 33],
    ['returning', true],
  ]);
  return { unitId: unit as UnitId, context, algorithm: null, eligibleArmIds: null, slots: 1, ...rest };
}

export const STAMP: DecisionStamp = { decisionId: 'decision-1' as DecisionId, decidedAtMs: 1_700_000_000_000 };
