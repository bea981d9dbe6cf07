/** Counting a decision whose reward is not known yet: bounds are what a snapshot with one more decision would have. */
import { describe, expect, it, test } from 'vitest';
import { linUcb } from '../../../../services/core/policies/linucb.ts';
import type { Policy } from '../../../../services/core/policies/policy.ts';
import { allPolicies, findPolicy, validateParameters } from '../../../../services/core/policies/registry.ts';
import { RidgeModels } from '../../../../services/core/policies/ridge.ts';
import { seededRandom } from '../../../../services/core/random.ts';
import { gramStart } from '../../../../services/core/sums/layout.ts';
import { counted, learned, NO_CONTEXT, type Observation, served } from './policies.ts';

const CONTEXT = Float64Array.of(1, 0, 1);
const OBSERVATIONS: Observation[] = [
  { arm: 0, reward: 0.6, context: [1, 0, 1] },
  { arm: 0, reward: 0.5, context: [1, 1, 0] },
  { arm: 1, reward: 0.5, context: [1, 0, 1] },
  { arm: 1, reward: 0.4, context: [1, 1, 1] },
];

test('policies that deal one arm to all alike count exposures, those that randomise do not', () => {
  // What needs a layout draws from a posterior.
  const plain = allPolicies().filter(({ layoutsOnly }) => layoutsOnly === undefined);
  const counting = plain.filter((policy) => {
    const input = policy.contextual ? learned(2, 3, OBSERVATIONS) : learned(2, 0, OBSERVATIONS);
    return served(policy, input).exposures !== undefined;
  });
  expect(counting.map(({ kind }) => kind)).toEqual(['linucb', 'linucb-hybrid', 'pucb', 'ucb1', 'ucb1-tuned']);
});

describe.each(['ucb1', 'ucb1-tuned', 'linucb', 'linucb-hybrid', 'pucb'])('%s', (kind) => {
  const policy: Policy = findPolicy(kind);
  const context = policy.contextual ? CONTEXT : NO_CONTEXT;
  const input = learned(2, context.length, OBSERVATIONS);

  it('narrows the bound of the arm dealt, never the other, and never below its mean', () => {
    const serving = served(policy, input);
    const scores = () => [...serving.scores(context, [0, 1])] as [number, number];
    const before = scores();
    for (let i = 0; i < 1_000; i++) serving.exposures!.add(context, 0);
    const narrow = scores();
    expect(narrow[0]).toBeLessThan(before[0]);
    expect(narrow[1]).toBe(before[1]);
    expect(serving.exposures!.count).toBe(1_000);
    for (let i = 0; i < 100_000; i++) serving.exposures!.add(context, 0);
    expect(scores()[0]).toBeGreaterThan(0.3);
  });

  it('leaves the snapshot as it is', () => {
    const parameters = validateParameters(policy, new Map());
    const state = policy.prepare(input, parameters);
    const before = [...policy.serve(state, parameters, null).scores(context, [0, 1])];
    policy.serve(state, parameters, null).exposures!.add(context, 0);
    expect([...policy.serve(state, parameters, null).scores(context, [0, 1])]).toEqual(before);
  });

  it('deals both arms between two snapshots, and soon', () => {
    const serving = served(policy, input);
    const dealt = new Set<number>();
    for (let i = 0; i < 200; i++) {
      const arm = serving.probabilities(context, [0, 1])[0]! > 0 ? 0 : 1;
      dealt.add(arm);
      serving.exposures!.add(context, arm);
    }
    expect(dealt).toEqual(new Set([0, 1]));
  });
});

test('ucb1: the mean stays, n of the bound is one more', () => {
  const serving = served(
    findPolicy('ucb1'),
    counted([
      [10, 4],
      [30, 15],
    ]),
  );
  serving.exposures!.add([], 0);
  const width = (n: number) => Math.sqrt((2 * Math.log(40)) / n);
  expect([...serving.scores(NO_CONTEXT, [0, 1])]).toEqual([0.4 + width(11), 0.5 + width(30)]);
});

test('ucb1: an arm that was never learned from is tried once in turn, not by everybody', () => {
  const serving = served(
    findPolicy('ucb1'),
    counted([
      [100, 60],
      [0, 0],
      [0, 0],
    ]),
  );
  serving.exposures!.add([], 1);
  expect([...serving.probabilities(NO_CONTEXT, [0, 1, 2])]).toEqual([0, 0, 1]);
});

test('linucb: A⁻¹ is the one that a Cholesky factor of A + Σxxᵀ gives, to 1e-12', () => {
  const random = seededRandom(3);
  const dimension = 6;
  const drawn = () => Array.from({ length: dimension }, (_, i) => (i === 0 ? 1 : random.normal()));
  const learnedSoFar = Array.from({ length: 40 }, (_, i) => ({ arm: i % 2, reward: random.next(), context: drawn() }));
  const parameters = validateParameters(linUcb, new Map());
  const input = learned(2, dimension, learnedSoFar);
  const models = RidgeModels.ofTheirOwn(linUcb.prepare(input, parameters));
  const exposures = Array.from({ length: 2_000 }, drawn);
  for (const context of exposures) models.expose(context, 1);
  for (const context of exposures) {
    let cell = gramStart(input.layout);
    for (let i = 0; i < dimension; i++) {
      for (let j = 0; j <= i; j++) input.sums[1]![cell++]! += context[i]! * context[j]!;
    }
  }
  const refitted = new RidgeModels(linUcb.prepare(input, parameters));
  for (const context of exposures.slice(0, 20).map((x) => Float64Array.from(x))) {
    for (const arm of [0, 1]) {
      expect(models.variance(context, arm)).toBeCloseTo(refitted.variance(context, arm), 12);
    }
  }
});
