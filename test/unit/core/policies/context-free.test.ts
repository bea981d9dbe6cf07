import { describe, expect, it } from 'vitest';
import { betaTs } from '../../../../services/core/policies/beta-ts.ts';
import { epsilonGreedy } from '../../../../services/core/policies/epsilon-greedy.ts';
import { ucb1 } from '../../../../services/core/policies/ucb1.ts';
import { counted, learned, MABWISER, NO_CONTEXT, served } from './policies.ts';

describe('ε-greedy', () => {
  // Means 3, 3, 1, 1 scaled to [0, 1].
  const input = counted([
    [4, 3],
    [8, 6],
    [4, 1],
    [12, 3],
  ]);

  it('shares 1 − ε among the best and ε among all', () => {
    const policy = served(epsilonGreedy, input, { epsilon: 0.5 });
    expect([...policy.probabilities(NO_CONTEXT, [0, 1, 2, 3])]).toEqual([0.375, 0.375, 0.125, 0.125]);
  });

  it('looks only at eligible arms', () => {
    const policy = served(epsilonGreedy, input, { epsilon: 0.5 });
    expect([...policy.probabilities(NO_CONTEXT, [1, 3])]).toEqual([0.75, 0.25]);
    expect([...policy.scores(NO_CONTEXT, [1, 3])]).toEqual([0.75, 0.25]);
  });
});

describe('UCB1', () => {
  it('has the bounds that mabwiser has', () => {
    const scores = served(ucb1, learned(3, 0, MABWISER)).scores(NO_CONTEXT, [0, 1, 2]);
    const golden = [1.5723073962832794, 1.5174271293851465, 1.5597051824376162];
    // mabwiser rounds once more on the way.
    for (const [arm, expected] of golden.entries()) expect(Math.abs(scores[arm]! - expected)).toBeLessThan(1e-15);
  });

  it('deals the greatest bound only', () => {
    const policy = served(ucb1, learned(3, 0, MABWISER));
    expect([...policy.probabilities(NO_CONTEXT, [0, 1, 2])]).toEqual([1, 0, 0]);
    expect([...policy.probabilities(NO_CONTEXT, [1, 2])]).toEqual([0, 1]);
  });

  it('lets untried arms share before any other', () => {
    const policy = served(
      ucb1,
      counted([
        [1000, 1000],
        [0, 0],
        [0, 0],
      ]),
    );
    expect([...policy.probabilities(NO_CONTEXT, [0, 1, 2])]).toEqual([0, 0.5, 0.5]);
  });
});

describe('Beta Thompson sampling', () => {
  it('gives the published probabilities for whole sets and for subsets', () => {
    // Posteriors (30, 20), (300, 300) and a third that is not eligible at first.
    const input = counted([
      [48, 29],
      [598, 299],
      [8, 7],
    ]);
    const policy = served(betaTs, input);
    expect(policy.probabilities(NO_CONTEXT, [0, 1])[0]).toBeCloseTo(0.915586822629, 12);
    const all = policy.probabilities(NO_CONTEXT, [0, 1, 2]);
    expect(all.reduce((a, b) => a + b)).toBeCloseTo(1, 14);
    expect(all[0]! + all[1]!).toBeLessThan(0.2);
  });

  it('counts a fractional reward as a fractional success', () => {
    const prior = { priorAlpha: 2, priorBeta: 3 };
    const scores = served(betaTs, counted([[10, 2.5]]), prior).scores(NO_CONTEXT, [0]);
    expect(scores[0]).toBe(4.5 / 15);
  });

  it('is not changed by what a caller does to an answer', () => {
    const policy = served(betaTs, counted(Array.from({ length: 5 }, (_, i) => [20, i] as const)));
    for (const eligible of [
      [0, 1, 2, 3, 4],
      [1, 3],
    ]) {
      const first = policy.probabilities(NO_CONTEXT, eligible);
      const kept = [...first];
      first.fill(0);
      expect([...policy.probabilities(NO_CONTEXT, eligible)]).toEqual(kept);
    }
  });
});
