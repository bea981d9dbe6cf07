import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { serveUpperBounds } from '../../../../services/core/policies/linucb.ts';
import { allPolicies, findPolicy } from '../../../../services/core/policies/registry.ts';
import { fitRidge } from '../../../../services/core/policies/ridge.ts';
import { learned, type Observation, served } from './policies.ts';

interface Vectors {
  readonly tolerance: number;
  readonly mabwiser: {
    readonly decisions: readonly Observation[];
    readonly lambda: number;
    readonly alpha: number;
    readonly bounds: readonly { readonly context: readonly number[]; readonly scores: readonly number[] }[];
  };
  readonly cases: readonly {
    readonly kind: string;
    readonly parameters: Readonly<Record<string, number>>;
    readonly attributes: readonly Readonly<Record<string, number>>[];
    readonly decisions: readonly (Observation & { readonly context: readonly number[] })[];
    readonly context: readonly number[];
    readonly eligible: readonly number[];
    readonly probabilities: readonly number[];
    readonly scores: readonly number[];
  }[];
}
const { tolerance, mabwiser, cases }: Vectors = JSON.parse(
  readFileSync(new URL('../../../../schemas/vectors/contextual-policies.json', import.meta.url), 'utf8'),
);
/** Of layouts instead of arms, with vectors of its own. */
const ELSEWHERE = 'bayesian-logistic';

describe('the golden cases of contextual policies', () => {
  it('are all there, some for every such policy', () => {
    expect(cases).toHaveLength(8);
    const contextual = allPolicies().filter((policy) => policy.contextual && policy.kind !== ELSEWHERE);
    expect([...new Set(cases.map(({ kind }) => kind))].sort()).toEqual(contextual.map(({ kind }) => kind));
  });

  it.each(cases)('$kind with $parameters among arms $eligible', ({ kind, parameters, eligible, ...given }) => {
    const { decisions, attributes } = given;
    const input = {
      ...learned(attributes.length, given.context.length, decisions),
      attributes: attributes.map((arm) => new Map(Object.entries(arm))),
    };
    const policy = served(findPolicy(kind), input, parameters);
    const context = Float64Array.from(given.context);
    expectNear(policy.scores(context, eligible), given.scores);
    expectNear(policy.probabilities(context, eligible), given.probabilities);
  });

  it("has mabwiser's bounds, about a prior mean of 0 and with a noise of 1", () => {
    expect(mabwiser.bounds).toHaveLength(2);
    const { theta, inverse } = fitRidge(learned(3, 5, mabwiser.decisions), mabwiser.lambda);
    const state = new Map(Object.entries({ theta, inverse, noise: Float64Array.of(1) }));
    const policy = serveUpperBounds(state, new Map([['alpha', mabwiser.alpha]]));
    for (const { context, scores } of mabwiser.bounds) {
      expectNear(policy.scores(Float64Array.from(context), [0, 1, 2]), scores);
    }
  });
});

function expectNear(found: Float64Array, expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(found[i]! - value), `entry ${i}`).toBeLessThanOrEqual(tolerance);
  }
}
