import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BetaPosteriors } from '../../../../services/core/numerics/beta-posteriors.ts';
import { selectionProbabilities } from '../../../../services/core/numerics/selection-probabilities.ts';
import { seededRandom } from '../../../../services/core/random.ts';

interface Vectors {
  readonly cases: readonly {
    readonly name: string;
    readonly alpha: readonly number[];
    readonly beta: readonly number[];
    readonly probabilities: readonly number[];
  }[];
}
const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../../schemas/vectors/beta-selection.json', import.meta.url), 'utf8'),
);

describe('exact selection probabilities of Beta posteriors', () => {
  it('has the golden cases', () => expect(vectors.cases).toHaveLength(9));

  it.each(vectors.cases)('reproduces: $name', ({ alpha, beta, probabilities }) => {
    const found = select(alpha, beta);
    for (const [arm, expected] of probabilities.entries()) {
      const tolerance = Math.max(1e-9 * expected, 1e-10);
      expect(Math.abs(found[arm]! - expected), `arm ${arm}`).toBeLessThanOrEqual(tolerance);
    }
  });

  it.each(vectors.cases.filter(({ name }) => name.startsWith('one in')))(
    'keeps four digits of a probability of 2e-12, and never calls it zero: $name',
    ({ alpha, beta, probabilities }) => {
      expect(select(alpha, beta)[0]! / probabilities[0]! - 1).toBeCloseTo(0, 4);
    },
  );

  it.each([
    ['flat', 1, 1],
    ['bathtub', 0.5, 0.5],
    ['the weakest prior allowed', 0.1, 5],
    ['rare successes', 1, 1e6],
    ['narrow', 1e9, 1e9],
    ['ordinary', 100, 100],
  ])('shares evenly among 4,000 equal arms, |Σp − 1| ≤ 1e-9: %s', (_name, a, b) => {
    const found = select(new Array(4000).fill(a), new Array(4000).fill(b));
    expect(Math.abs(sum(found) - 1)).toBeLessThanOrEqual(1e-9);
    for (const p of found) expect(Math.abs(p * 4000 - 1)).toBeLessThanOrEqual(1e-9);
  });

  it('adds up to 1 ± 1e-9 for arms of wildly different size', () => {
    const random = seededRandom(11);
    for (let round = 0; round < 300; round++) {
      const size = 2 + Math.floor(random.next() * 30);
      const draw = () => Array.from({ length: size }, () => 10 ** (random.next() * 10 - 1));
      const [alpha, beta] = [draw(), draw()];
      expect(Math.abs(sum(select(alpha, beta)) - 1), JSON.stringify([alpha, beta])).toBeLessThanOrEqual(1e-9);
    }
  });

  it('agrees with drawing from the posteriors', () => {
    // Order statistics: the k-th smallest of n uniforms is Beta(k, n + 1 − k).
    const random = seededRandom(3);
    const arms = [
      [3, 5],
      [2, 2],
      [4, 7],
      [1, 3],
    ] as const;
    const wins = [0, 0, 0, 0];
    const draws = 100_000;
    for (let i = 0; i < draws; i++) {
      const values = arms.map(([a, b]) => orderStatistic(a, a + b - 1, random.next));
      wins[values.indexOf(Math.max(...values))]! += 1;
    }
    const found = select(
      arms.map(([a]) => a),
      arms.map(([, b]) => b),
    );
    for (const [arm, p] of found.entries()) {
      expect(Math.abs(wins[arm]! / draws - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / draws));
    }
  });
});

function select(alpha: readonly number[], beta: readonly number[]): Float64Array {
  return selectionProbabilities(new BetaPosteriors(Float64Array.from(alpha), Float64Array.from(beta)));
}

function sum(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0);
}

function orderStatistic(k: number, n: number, uniform: () => number): number {
  return Array.from({ length: n }, uniform).sort((a, b) => a - b)[k - 1]!;
}
