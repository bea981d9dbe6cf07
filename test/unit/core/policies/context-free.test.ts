/** What holds for each context-free policy beyond its golden cases (vectors.test.ts) and refusals (bad-input.test.ts). */
import { describe, expect, it } from 'vitest';
import { betaTs } from '../../../../services/core/policies/beta-ts.ts';
import { exp3 } from '../../../../services/core/policies/exp3.ts';
import { allPolicies } from '../../../../services/core/policies/registry.ts';
import { counted, learned, NO_CONTEXT, type Observation, served } from './policies.ts';

const contextFree = allPolicies().filter(({ contextual }) => !contextual);

describe('a context-free policy', () => {
  it.each(contextFree)('is not changed by what a caller does to an answer: $kind', (policy) => {
    const serving = served(policy, counted(Array.from({ length: 5 }, (_, i) => [20, i] as const)));
    for (const eligible of [
      [0, 1, 2, 3, 4],
      [1, 3],
    ]) {
      for (const answer of [serving.probabilities, serving.scores]) {
        const first = answer(NO_CONTEXT, eligible);
        const kept = [...first];
        first.fill(0);
        expect([...answer(NO_CONTEXT, eligible)]).toEqual(kept);
      }
    }
  });

  it.each(contextFree)('answers alike whatever the order of the arms: $kind', (policy) => {
    const seen: Observation[] = Array.from({ length: 90 }, (_, i) => ({
      arm: i % 3,
      reward: ((i * 7) % 11) / 11,
      propensity: 0.25,
    }));
    const mirrored = seen.map((one) => ({ ...one, arm: 2 - one.arm }));
    const straight = served(policy, learned(3, 0, seen)).probabilities(NO_CONTEXT, [0, 1, 2]);
    const reversed = served(policy, learned(3, 0, mirrored))
      .probabilities(NO_CONTEXT, [0, 1, 2])
      .reverse();
    for (const [arm, p] of straight.entries()) expect(reversed[arm]).toBeCloseTo(p, 12);
  });
});

describe('Beta Thompson sampling', () => {
  it('takes no account of arms that are not eligible', () => {
    // Posteriors (30, 20), (300, 300) and a third that is better than both.
    const policy = served(
      betaTs,
      counted([
        [48, 29],
        [598, 299],
        [8, 7],
      ]),
    );
    expect(policy.probabilities(NO_CONTEXT, [0, 1])[0]).toBeCloseTo(0.915586822629, 12);
    const all = policy.probabilities(NO_CONTEXT, [0, 1, 2]);
    expect(all[0]! + all[1]!).toBeLessThan(0.2);
  });
});

describe('Exp3', () => {
  it('gives every arm γ/K however far behind it is, and the rest to the leader', () => {
    const input = counted([
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
    input.sums[2]![4] = 1e15;
    const probabilities = served(exp3, input, { gamma: 0.3 }).probabilities(NO_CONTEXT, [0, 1, 2]);
    for (const [arm, p] of [0.1, 0.1, 0.8].entries()) expect(probabilities[arm]).toBeCloseTo(p, 14);
  });
});
