import { describe, expect, it } from 'vitest';
import { Corrupt, Invalid } from '../../../../services/core/errors.ts';
import { choleskyFactor, choleskyInverse, choleskySolve } from '../../../../services/core/numerics/cholesky.ts';
import { linearTs } from '../../../../services/core/policies/linear-ts.ts';
import { seededRandom } from '../../../../services/core/random.ts';
import { gramStart, N, SUM_R, SUM_RR, VECTOR_START } from '../../../../services/core/sums/layout.ts';
import { learned, type Observation, served } from './policies.ts';

const DIMENSION = 3;
const ARMS = 4;

describe('linear Thompson sampling', () => {
  it('deals each arm as often as drawing θ̃ ~ N(θ, (vσ)²A⁻¹) would', () => {
    const input = learned(ARMS, DIMENSION, observations(24));
    const v = 0.7;
    const lambda = 0.4;
    const context = [1, 0.6, -0.8];
    const probabilities = served(linearTs, input, { v, lambda }).probabilities(Float64Array.from(context), [0, 1, 3]);
    const draws = 200_000;
    const best = new Float64Array(3);
    const models = [0, 1, 3].map((arm) => drawn(arm, input, lambda));
    const width = v * Math.sqrt(noise(input, lambda));
    const random = seededRandom(11);
    for (let i = 0; i < draws; i++) {
      const values = models.map(({ theta, deviate }) => {
        const deviation = deviate(random);
        return context.reduce((sum, x, j) => sum + x * (theta[j]! + width * deviation[j]!), 0);
      });
      best[values.indexOf(Math.max(...values))]! += 1;
    }
    for (const [i, p] of probabilities.entries()) {
      expect(p).toBeGreaterThan(0.01);
      expect(Math.abs(best[i]! / draws - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / draws));
    }
    expect(Math.abs(probabilities.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-9);
  });

  it('explores by the noise of the rewards, whatever their scale', () => {
    const noisy = observations(4_000);
    const quarter = noisy.map((one) => ({ ...one, reward: one.reward / 4 }));
    const [p, q] = [noisy, quarter].map((seen) =>
      served(linearTs, learned(ARMS, DIMENSION, seen)).probabilities(Float64Array.of(1, 0.6, -0.8), [0, 1, 2, 3]),
    );
    expect(Math.max(...p!)).toBeLessThan(0.99);
    // What differs is the one reward of the greatest noise that the estimate starts with.
    for (const [arm, share] of p!.entries()) expect(Math.abs(share - q![arm]!)).toBeLessThan(0.02);
  });

  it('has the expected reward as its score', () => {
    const rewards = Array.from({ length: 4_000 }, (_, i) => ({
      arm: i % 2,
      reward: i % 2 ? 0.75 : 0.25,
      context: [1],
    }));
    const scores = served(linearTs, learned(2, 1, rewards)).scores(Float64Array.of(1), [0, 1]);
    expect(scores[0]).toBeCloseTo(0.25, 3);
    expect(scores[1]).toBeCloseTo(0.75, 3);
  });

  it('shares among arms it knows nothing of', () => {
    const probabilities = served(linearTs, learned(4, 2, [])).probabilities(Float64Array.of(1, 0), [0, 1, 2, 3]);
    for (const p of probabilities) expect(p).toBeCloseTo(0.25, 10);
  });

  it('refuses a context of another length, or with a number that is none', () => {
    const policy = served(linearTs, learned(2, 2, []));
    expect(() => policy.probabilities(Float64Array.of(1, 0, 1), [0, 1])).toThrow(Invalid);
    expect(() => policy.probabilities(Float64Array.of(1, 0, 1), [0, 1])).toThrow(
      'context has 3 numbers, the snapshot has 2',
    );
    expect(() => policy.probabilities(Float64Array.of(1, Number.NaN), [0, 1])).toThrow(
      'number 1 of the context is NaN',
    );
    expect(() => served(linearTs, learned(2, 0, []))).toThrow('linear-ts needs a context');
    expect(() => served(linearTs, learned(0, 2, []))).toThrow('there is no arm');
  });

  it.each([
    ['a Gram matrix that no contexts make', (cells: Float64Array, gram: number) => cells.fill(-8, gram, gram + 1)],
    [
      'a sum of rewards that is not finite',
      (cells: Float64Array) => cells.fill(Number.NaN, VECTOR_START, VECTOR_START + 1),
    ],
    ['fewer squares than its model explains', (cells: Float64Array) => cells.fill(1e-3, SUM_RR, SUM_RR + 1)],
  ])('names the arm with %s', (_, spoil) => {
    const input = learned(ARMS, DIMENSION, observations(24));
    spoil(input.sums[2]!, gramStart(input.layout));
    expect(() => served(linearTs, input)).toThrow(Corrupt);
    expect(() => served(linearTs, input)).toThrow('arm-3');
  });
});

function observations(count: number): Observation[] {
  const random = seededRandom(2);
  return Array.from({ length: count }, (_, i) => ({
    arm: i % ARMS,
    reward: random.next(),
    context: [1, random.normal(), random.normal()],
  }));
}

type Input = ReturnType<typeof learned>;

function ridge(arm: number, { layout, sums }: Input, lambda: number) {
  const matrix = sums[arm]!.slice(gramStart(layout));
  for (let i = 0; i < DIMENSION; i++) matrix[(i * (i + 1)) / 2 + i]! += lambda;
  const [rewarded, count] = [SUM_R, N].map((cell) => sums.reduce((sum, cells) => sum + cells[cell]!, 0));
  const pooled = rewarded! / count!;
  const rewards = sums[arm]!.slice(VECTOR_START, VECTOR_START + DIMENSION);
  rewards[0]! += lambda * pooled;
  const factor = choleskyFactor(matrix, DIMENSION)!;
  return { rewards, pooled, factor, theta: choleskySolve(factor, DIMENSION, rewards) };
}

/** θ and draws of N(0, A⁻¹). */
function drawn(arm: number, input: Input, lambda: number) {
  const { factor, theta } = ridge(arm, input, lambda);
  const root = choleskyFactor(choleskyInverse(factor, DIMENSION), DIMENSION)!;
  const deviate = (random: ReturnType<typeof seededRandom>) => {
    const normals = Array.from({ length: DIMENSION }, () => random.normal());
    return normals.map((_, i) =>
      normals.slice(0, i + 1).reduce((sum, normal, j) => sum + root[(i * (i + 1)) / 2 + j]! * normal, 0),
    );
  };
  return { theta, deviate };
}

/** (¼ + Σ residual and penalty) / (1 + Σn). */
function noise(input: Input, lambda: number): number {
  const squares = input.sums.map((cells, arm) => {
    const { theta, rewards, pooled } = ridge(arm, input, lambda);
    return cells[SUM_RR]! + lambda * pooled ** 2 - rewards.reduce((sum, cell, i) => sum + cell * theta[i]!, 0);
  });
  return (0.25 + squares.reduce((a, b) => a + b)) / (1 + input.sums.reduce((sum, cells) => sum + cells[N]!, 0));
}
