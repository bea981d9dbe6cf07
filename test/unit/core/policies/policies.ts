/** Sums and serving for policy tests. */
import type { ArmId } from '../../../../services/core/events.ts';
import type { Policy, PolicyInput, ServingPolicy } from '../../../../services/core/policies/policy.ts';
import { validateParameters } from '../../../../services/core/policies/registry.ts';
import {
  gramStart,
  N,
  PULLS,
  SUM_R,
  SUM_R_OVER_P,
  SUM_RR,
  sumsLayout,
  VECTOR_START,
} from '../../../../services/core/sums/layout.ts';

export interface Observation {
  readonly arm: number;
  readonly reward: number;
  /** That it was dealt with; 1 without. */
  readonly propensity?: number;
  readonly context?: readonly number[];
}

/** What a learner would have kept of these observations. */
export function learned(armCount: number, dimension: number, observations: readonly Observation[]): PolicyInput {
  const layout = sumsLayout(dimension);
  const sums = Array.from({ length: armCount }, () => new Float64Array(layout.size));
  for (const { arm, reward, propensity = 1, context = [] } of observations) {
    const vector = sums[arm]!;
    vector[PULLS]! += 1;
    vector[N]! += 1;
    vector[SUM_R]! += reward;
    vector[SUM_RR]! += reward * reward;
    vector[SUM_R_OVER_P]! += reward / propensity;
    let cell = gramStart(layout);
    for (let i = 0; i < dimension; i++) {
      vector[VECTOR_START + i]! += reward * context[i]!;
      for (let j = 0; j <= i; j++) vector[cell++]! += context[i]! * context[j]!;
    }
  }
  const armIds = sums.map((_, arm) => `arm-${arm + 1}` as ArmId);
  return { layout, armIds, attributes: armIds.map(() => new Map()), sums };
}

/** n and Σr of each arm. */
export function counted(arms: readonly (readonly [n: number, sumR: number])[]): PolicyInput {
  const input = learned(arms.length, 0, []);
  for (const [arm, [n, sumR]] of arms.entries()) {
    input.sums[arm]![PULLS] = n;
    input.sums[arm]![N] = n;
    input.sums[arm]![SUM_R] = sumR;
  }
  return input;
}

export function served(policy: Policy, input: PolicyInput, parameters: Record<string, number> = {}): ServingPolicy {
  const validated = validateParameters(policy, new Map(Object.entries(parameters)));
  return policy.serve(policy.prepare(input, validated), validated, null);
}

export const NO_CONTEXT = new Float64Array(0);

/** mabwiser's tests/test_ucb.py and tests/test_linucb.py: ten decisions among three arms. */
export const MABWISER: readonly Observation[] = [
  { arm: 0, reward: 0, context: [0, 1, 2, 3, 5] },
  { arm: 0, reward: 0, context: [1, 1, 1, 1, 1] },
  { arm: 0, reward: 1, context: [0, 0, 1, 0, 0] },
  { arm: 1, reward: 0, context: [0, 2, 2, 3, 5] },
  { arm: 1, reward: 0, context: [1, 3, 1, 1, 1] },
  { arm: 2, reward: 0, context: [0, 0, 0, 0, 0] },
  { arm: 2, reward: 0, context: [0, 1, 4, 3, 5] },
  { arm: 2, reward: 1, context: [0, 1, 2, 4, 5] },
  { arm: 2, reward: 1, context: [1, 2, 1, 1, 3] },
  { arm: 2, reward: 1, context: [0, 2, 1, 0, 0] },
];
