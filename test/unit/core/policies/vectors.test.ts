import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ArmId } from '../../../../services/core/events.ts';
import type { PolicyInput } from '../../../../services/core/policies/policy.ts';
import { allPolicies, findPolicy, validateParameters } from '../../../../services/core/policies/registry.ts';
import { N, PULLS, SUM_R, SUM_R_OVER_P, SUM_RR, sumsLayout } from '../../../../services/core/sums/layout.ts';
import { NO_CONTEXT } from './policies.ts';

interface VectorArm {
  readonly n: number;
  readonly sumR: number;
  readonly sumRR: number;
  readonly sumROverP: number;
  readonly attributes: Readonly<Record<string, number>>;
}
interface Vectors {
  readonly cases: readonly {
    readonly name: string;
    readonly kind: string;
    readonly parameters: Readonly<Record<string, number>>;
    readonly arms: readonly VectorArm[];
    readonly eligible: readonly number[];
    readonly state?: Readonly<Record<string, readonly number[]>>;
    readonly probabilities: readonly number[];
    /** The string Infinity stands for +∞. */
    readonly scores: readonly (number | 'Infinity')[];
    readonly tolerance: number;
  }[];
}
const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../../schemas/vectors/policies.json', import.meta.url), 'utf8'),
);

describe('the golden cases of context-free policies', () => {
  it('are all there, some for every such policy', () => {
    expect(vectors.cases).toHaveLength(39);
    const kinds = allPolicies()
      .filter(({ contextual }) => !contextual)
      .map(({ kind }) => kind);
    expect([...new Set(vectors.cases.map(({ kind }) => kind))].sort()).toEqual(kinds);
  });

  it.each(vectors.cases)('$kind: $name', ({ kind, parameters, arms, eligible, ...expected }) => {
    const policy = findPolicy(kind);
    const validated = validateParameters(policy, new Map(Object.entries(parameters)));
    const state = policy.prepare(inputOf(arms), validated);
    const serving = policy.serve(state, validated, null);
    expectNear(serving.probabilities(NO_CONTEXT, eligible), expected.probabilities, expected.tolerance);
    expectNear(serving.scores(NO_CONTEXT, eligible), expected.scores.map(Number), expected.tolerance);
    for (const [name, values] of Object.entries(expected.state ?? {})) {
      expectNear(state.get(name)!, values, expected.tolerance);
    }
  });
});

function inputOf(arms: readonly VectorArm[]): PolicyInput {
  const layout = sumsLayout(0);
  return {
    layout,
    armIds: arms.map((_, arm) => `arm-${arm}` as ArmId),
    attributes: arms.map(({ attributes }) => new Map(Object.entries(attributes))),
    sums: arms.map(({ n, sumR, sumRR, sumROverP }) => {
      const cells = new Float64Array(layout.size);
      cells[PULLS] = n;
      cells[N] = n;
      cells[SUM_R] = sumR;
      cells[SUM_RR] = sumRR;
      cells[SUM_R_OVER_P] = sumROverP;
      return cells;
    }),
  };
}

function expectNear(found: Float64Array, expected: readonly number[], tolerance: number): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) {
    if (Number.isFinite(value)) expect(Math.abs(found[i]! - value), `entry ${i}`).toBeLessThanOrEqual(tolerance);
    else expect(found[i], `entry ${i}`).toBe(value);
  }
}
