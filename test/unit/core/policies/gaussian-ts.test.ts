import { describe, expect, it } from 'vitest';
import { gaussianTs } from '../../../../services/core/policies/gaussian-ts.ts';
import { counted, learned, NO_CONTEXT, type Observation, served } from './policies.ts';

describe('Gaussian Thompson sampling', () => {
  it('learns the spread of rewards: the same means are told apart sooner when rewards vary less', () => {
    const best = (spread: number) => {
      const seen: Observation[] = [-1, 0, 1].flatMap((side) => [
        { arm: 0, reward: 0.5 + side * spread },
        { arm: 1, reward: 0.6 + side * spread },
      ]);
      return served(gaussianTs, learned(2, 0, seen), { priorRate: 1e-4 }).probabilities(NO_CONTEXT, [0, 1])[1]!;
    };
    expect(best(0.01)).toBeGreaterThan(0.95);
    expect(best(0.4)).toBeLessThan(0.7);
  });

  it('never gives an arm up after a few bad rewards', () => {
    const seen: Observation[] = [
      { arm: 0, reward: 0 },
      { arm: 0, reward: 0 },
      ...Array.from({ length: 50 }, (_, i) => ({ arm: 1, reward: 0.5 + 0.01 * (i % 2) })),
    ];
    expect(served(gaussianTs, learned(2, 0, seen)).probabilities(NO_CONTEXT, [0, 1])[0]).toBeGreaterThan(0.01);
  });

  it('survives sums of a billion equal rewards', () => {
    const input = counted([
      [1e9, 0.7e9],
      [1e9, 0.7e9],
      [0, 0],
    ]);
    for (const arm of [0, 1]) input.sums[arm]![3] = 0.49e9;
    const probabilities = served(gaussianTs, input).probabilities(NO_CONTEXT, [0, 1, 2]);
    expect(probabilities[0]).toBeCloseTo(probabilities[1]!, 9);
    // Untried: t with 2 degrees of freedom, location ½, scale² 0.05; P(t > 0.2/√0.05).
    expect(probabilities[2]).toBeCloseTo(0.2329, 3);
  });

  it('gives the same for a subset as if the other arms had never been', () => {
    const input = counted([
      [40, 12],
      [5, 4],
      [90, 30],
    ]);
    for (const cells of input.sums) cells[3] = cells[2]!;
    const alone = { ...input, armIds: [0, 2].map((i) => input.armIds[i]!), sums: [0, 2].map((i) => input.sums[i]!) };
    const subset = served(gaussianTs, input).probabilities(NO_CONTEXT, [0, 2]);
    expect(subset[0]).toBeCloseTo(served(gaussianTs, alone).probabilities(NO_CONTEXT, [0, 1])[0]!, 14);
  });
});
