import { Matrix, solve } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { Corrupt, Invalid } from '../../../../services/core/errors.ts';
import { linUcb } from '../../../../services/core/policies/linucb.ts';
import { linUcbHybrid, standardised } from '../../../../services/core/policies/linucb-hybrid.ts';
import { seededRandom } from '../../../../services/core/random.ts';
import { gramStart } from '../../../../services/core/sums/layout.ts';
import { learned, type Observation, served } from './policies.ts';

const DIMENSION = 4;

describe('hybrid LinUCB', () => {
  it.each([
    [
      'two attributes',
      [
        { cost: 5, size: 1 },
        { cost: 55, size: 2 },
        { cost: 18, size: 2 },
      ],
      1,
      1,
    ],
    ['an attribute that an arm lacks', [{ cost: 5 }, {}, { cost: 18 }, { cost: 30 }], 0.3, 2.5],
    ['no attributes', [{}, {}, {}, {}, {}], 2, 0.1],
  ])('is the joint ridge regression on [z ; e ⊗ x], with %s', (_, attributes, alpha, lambda) => {
    const arms = attributes.map((arm) => new Map(Object.entries(arm)));
    const observations = randomObservations(arms.length - 1, 40);
    const policy = served(
      linUcbHybrid,
      { ...learned(arms.length, DIMENSION, observations), attributes: arms },
      { alpha, lambda },
    );
    const all = arms.map((_arm, index) => index);
    for (const { context } of randomObservations(1, 5, 77)) {
      const scores = policy.scores(Float64Array.from(context!), all);
      const expected = all.map((arm) => jointBound(observations, standardised(arms), context!, { arm, alpha, lambda }));
      for (const arm of all) expect(Math.abs(scores[arm]! - expected[arm]!)).toBeLessThan(1e-10);
    }
  });

  it('gives a new arm what the other arms taught, where disjoint models know but the mean', () => {
    const observations = Array.from({ length: 400 }, (_, i) => ({
      arm: i % 3,
      reward: i % 2 ? 0.8 : 0.2,
      context: [1, i % 2],
    }));
    const input = learned(4, 2, observations);
    const context = Float64Array.of(1, 1);
    expect(served(linUcb, input, { alpha: 0 }).scores(context, [3])[0]).toBeCloseTo(0.5, 10);
    expect(served(linUcbHybrid, input, { alpha: 0 }).scores(context, [3])[0]).toBeGreaterThan(0.55);
  });

  it('trusts an arm of like attributes more than one of unlike ones', () => {
    const attributes = [0, 0.1, 1, 0.9].map((tone) => new Map([['tone', tone]]));
    const observations = Array.from({ length: 200 }, (_, i) => ({ arm: i % 2 ? 2 : 0, reward: i % 2, context: [1] }));
    const input = { ...learned(4, 1, observations), attributes };
    const scores = served(linUcbHybrid, input, { alpha: 0 }).scores(Float64Array.of(1), [1, 3]);
    expect(scores[1]).toBeGreaterThan(scores[0]! + 0.3);
  });

  it('names what is wrong with its input', () => {
    expect(() => served(linUcbHybrid, learned(2, 0, []))).toThrow(Invalid);
    expect(() => served(linUcbHybrid, learned(0, 2, []))).toThrow('there is no arm');
    const input = learned(3, DIMENSION, randomObservations(3, 9));
    expect(() => served(linUcbHybrid, input).scores(new Float64Array(3), [0])).toThrow(
      'context has 3 numbers, the snapshot has 4',
    );
    const many = new Map(Array.from({ length: 128 }, (_, i) => [`a${i}`, i + 1] as const));
    const crowded = { ...input, attributes: [many, new Map([...many].map(([name, value]) => [name, -value])), many] };
    expect(() => served(linUcbHybrid, crowded)).toThrow(
      '128 arm attributes and a context of 4 numbers make 516 shared coefficients, allowed 512',
    );
    input.sums[2]![gramStart(input.layout)] = -9;
    expect(() => served(linUcbHybrid, input)).toThrow(Corrupt);
    expect(() => served(linUcbHybrid, input)).toThrow('arm-3');
  });
});

it('attributes of arms are brought to one scale, and those that tell nothing apart are left out', () => {
  const arms = [{ cost: 10, same: 3 }, { cost: 30, same: 3 }, { same: 3 }].map((arm) => new Map(Object.entries(arm)));
  expect(standardised(arms).map((g) => [...g])).toEqual([
    [1, -1],
    [1, 1],
    [1, 0],
  ]);
});

function randomObservations(arms: number, count: number, seed = 3): Observation[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => ({
    arm: i % arms,
    reward: random.next(),
    context: Array.from({ length: DIMENSION }, () => random.normal()),
  }));
}

/** One regression over all arms at once: no block of it is eliminated by hand. */
function jointBound(
  observations: readonly Observation[],
  attributes: readonly Float64Array[],
  context: readonly number[],
  { arm, alpha, lambda }: { arm: number; alpha: number; lambda: number },
): number {
  const row = (of: number, x: readonly number[]) => [
    ...[...attributes[of]!].flatMap((g) => x.map((cell) => g * cell)),
    ...attributes.flatMap((_, other) => x.map((cell) => (other === of ? cell : 0))),
  ];
  const rows = new Matrix(observations.map((observation) => row(observation.arm, observation.context!)));
  const matrix = rows.transpose().mmul(rows).add(Matrix.eye(rows.columns).mul(lambda));
  const rewards = Matrix.columnVector(observations.map(({ reward }) => reward));
  const x = Matrix.columnVector(row(arm, context));
  const theta = solve(matrix, rows.transpose().mmul(rewards));
  const squares = Matrix.sub(rewards, rows.mmul(theta)).norm() ** 2 + lambda * theta.norm() ** 2;
  const noise = Math.sqrt((0.25 + squares) / (1 + observations.length));
  const mean = x.transpose().mmul(theta).get(0, 0);
  return mean + alpha * noise * Math.sqrt(x.transpose().mmul(solve(matrix, x)).get(0, 0));
}
