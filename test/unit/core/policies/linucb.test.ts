import { inverse, Matrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { Corrupt, Invalid } from '../../../../services/core/errors.ts';
import { linUcb } from '../../../../services/core/policies/linucb.ts';
import { seededRandom } from '../../../../services/core/random.ts';
import { gramStart } from '../../../../services/core/sums/layout.ts';
import { learned, MABWISER, type Observation, served } from './policies.ts';

describe('LinUCB', () => {
  it('agrees with a dense solve, for any subset, α and λ', () => {
    const random = seededRandom(5);
    const dimension = 9;
    const vector = () => Array.from({ length: dimension }, () => random.normal());
    const observations: Observation[] = Array.from({ length: 60 }, (_, i) => ({
      arm: i % 4,
      reward: random.next(),
      context: vector(),
    }));
    const policy = served(linUcb, learned(4, dimension, observations), { alpha: 0.7, lambda: 2.5 });
    const context = vector();
    const scores = policy.scores(Float64Array.from(context), [1, 3]);
    const pooled = observations.reduce((sum, { reward }) => sum + reward / observations.length, 0);
    const fits = Array.from({ length: 4 }, (_, arm) => {
      const own = observations.filter((observation) => observation.arm === arm);
      return denseFit(own, context, { pooled, lambda: 2.5 });
    });
    const squares = fits.reduce((sum, fit) => sum + fit.squares, 0.25);
    const width = 0.7 * Math.sqrt(squares / (1 + observations.length));
    for (const [position, arm] of [1, 3].entries()) {
      const { mean, variance } = fits[arm]!;
      expect(scores[position]).toBeCloseTo(mean + width * Math.sqrt(variance), 11);
    }
  });

  it('expects of a new arm what all arms earn', () => {
    const observations = Array.from({ length: 90 }, (_, i) => ({
      arm: i % 2,
      reward: i % 3 ? 0.7 : 0.1,
      context: [1],
    }));
    const scores = served(linUcb, learned(3, 1, observations), { alpha: 0 }).scores(Float64Array.of(1), [2]);
    expect(scores[0]).toBeCloseTo(0.5, 12);
  });

  it('moves its bounds with the rewards and by nothing else, wherever in their range they lie', () => {
    const low = noisy((reward) => reward / 2);
    const high = noisy((reward) => reward / 2 + 0.4);
    for (const [arm, bound] of high.entries()) expect(bound - low[arm]!).toBeCloseTo(0.4, 12);
  });

  it('explores by the noise of the rewards, whatever their scale', () => {
    const full = noisy((reward) => reward);
    const quarter = noisy((reward) => reward / 4);
    // What differs is the one reward of the greatest noise that the estimate starts with.
    for (const [arm, bound] of quarter.entries()) expect(Math.abs(4 * bound - full[arm]!)).toBeLessThan(1e-3);
  });

  it('names the arm whose matrix cannot come from sums', () => {
    const input = learned(3, 5, MABWISER);
    input.sums[1]![gramStart(input.layout)] = -7;
    expect(() => served(linUcb, input)).toThrow(Corrupt);
    expect(() => served(linUcb, input)).toThrow('arm-2');
  });

  it('refuses an experiment without context', () => {
    expect(() => served(linUcb, learned(2, 0, []))).toThrow(Invalid);
  });
});

/** Bounds for one context after 4,000 rewards whose noise is all there is to them. */
function noisy(scale: (reward: number) => number): Float64Array {
  const random = seededRandom(9);
  const observations = Array.from({ length: 4_000 }, (_, i) => {
    const x = random.normal();
    return { arm: i % 4, reward: scale(random.next()), context: [1, x] };
  });
  return served(linUcb, learned(4, 2, observations)).scores(Float64Array.of(1, 0.5), [0, 1, 2, 3]);
}

/** Of rewards less what is expected of them before any is seen. */
function denseFit(
  own: readonly Observation[],
  context: readonly number[],
  { pooled, lambda }: { pooled: number; lambda: number },
) {
  const x = Matrix.columnVector([...context]);
  const rows = new Matrix(own.map((observation) => [...observation.context!]));
  const inverted = inverse(rows.transpose().mmul(rows).add(Matrix.eye(context.length).mul(lambda)));
  const surprises = Matrix.columnVector(own.map(({ reward, context }) => reward - pooled * context![0]!));
  const theta = inverted.mmul(rows.transpose().mmul(surprises));
  const residuals = Matrix.sub(surprises, rows.mmul(theta));
  return {
    mean: pooled * context[0]! + x.transpose().mmul(theta).get(0, 0),
    variance: x.transpose().mmul(inverted).mmul(x).get(0, 0),
    squares: residuals.norm() ** 2 + lambda * theta.norm() ** 2,
  };
}
