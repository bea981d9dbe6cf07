import { inverse, Matrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { Corrupt, Invalid } from '../../../../services/core/errors.ts';
import { linUcb } from '../../../../services/core/policies/linucb.ts';
import { seededRandom } from '../../../../services/core/random.ts';
import { gramStart } from '../../../../services/core/sums/layout.ts';
import { learned, MABWISER, type Observation, served } from './policies.ts';

describe('LinUCB', () => {
  it('has the bounds that mabwiser has', () => {
    // tests/test_linucb.py, test_alpha1_expectations.
    const golden: [number[], number[]][] = [
      [
        [0, 1, 2, 3, 5],
        [0.9790312458954391, 1.1617706239438832, 1.4247056229871702],
      ],
      [
        [1, 1, 1, 1, 1],
        [0.8896475809353053, 0.923364043088837, 1.457085577251709],
      ],
    ];
    const policy = served(linUcb, learned(3, 5, MABWISER));
    for (const [context, expected] of golden) {
      const scores = policy.scores(Float64Array.from(context), [0, 1, 2]);
      for (const [arm, score] of expected.entries()) expect(scores[arm]).toBeCloseTo(score, 12);
      expect([...policy.probabilities(Float64Array.from(context), [0, 1, 2])]).toEqual([0, 0, 1]);
    }
  });

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
    for (const [position, arm] of [1, 3].entries()) {
      const own = observations.filter((observation) => observation.arm === arm);
      expect(scores[position]).toBeCloseTo(denseBound(own, context, 0.7, 2.5), 11);
    }
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

function denseBound(own: readonly Observation[], context: readonly number[], alpha: number, lambda: number): number {
  const x = Matrix.columnVector([...context]);
  const rows = new Matrix(own.map((observation) => [...observation.context!]));
  const inverted = inverse(rows.transpose().mmul(rows).add(Matrix.eye(context.length).mul(lambda)));
  const rewards = Matrix.columnVector(own.map((observation) => observation.reward));
  const theta = inverted.mmul(rows.transpose().mmul(rewards));
  const width = x.transpose().mmul(inverted).mmul(x).get(0, 0);
  return x.transpose().mmul(theta).get(0, 0) + alpha * Math.sqrt(width);
}
