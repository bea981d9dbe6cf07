import { readFileSync } from 'node:fs';
import { Matrix, solve } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { Corrupt } from '../../../../services/core/errors.ts';
import { type CountedRows, fitLogistic, logistic } from '../../../../services/core/numerics/logistic.ts';
import { type Random, seededRandom } from '../../../../services/core/random.ts';

interface Vectors {
  readonly tolerance: number;
  readonly cases: readonly {
    readonly name: string;
    readonly prior: readonly number[];
    readonly rows: readonly { readonly active: readonly number[]; readonly n: number; readonly sumR: number }[];
    readonly mean: readonly number[];
    readonly precision: readonly number[];
  }[];
}
const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../../schemas/vectors/logistic.json', import.meta.url), 'utf8'),
);

describe('the golden cases of logistic regression', () => {
  it('are all there', () => {
    expect(vectors.cases).toHaveLength(7);
  });

  it.each(vectors.cases)('$name', ({ prior, rows, mean, precision }) => {
    const fit = fitLogistic(countedRows(prior.length, rows), Float64Array.from(prior));
    expectNear(fit.mean, mean, vectors.tolerance);
    expectNear(fit.precision, precision, vectors.tolerance);
  });
});

describe('the fit to counts', () => {
  it.each([1, 2, 3, 4, 5, 6])('is that of a reference optimiser on the raw decisions to 1e-8, seed %i', (seed) => {
    const random = seededRandom(seed);
    const decisions = randomDecisions(random, 400, 12);
    const prior = Float64Array.from({ length: 12 }, (_, i) => (i === 0 ? 0.01 : 0.3 + 5 * random.next()));
    const fit = fitLogistic(counted(decisions, 12), prior);
    const reference = referenceFit(decisions, prior);
    expectNear(fit.mean, reference.mean, 1e-8);
    expectNear(fit.precision, reference.precision, 1e-8);
  });

  it('has the same bits whatever was learned, and forgotten, before', () => {
    const decisions = randomDecisions(seededRandom(7), 300, 8);
    const prior = new Float64Array(8).fill(1);
    const first = fitLogistic(counted(decisions, 8), prior);
    fitLogistic(counted(randomDecisions(seededRandom(8), 300, 8), 8), prior);
    expect(fitLogistic(counted(decisions, 8), prior)).toEqual(first);
  });

  it('is the prior where nothing was seen', () => {
    const { mean, precision } = fitLogistic(countedRows(3, []), Float64Array.of(0.01, 4, 5));
    expect([...mean]).toEqual([0, 0, 0]);
    expect([...precision]).toEqual([0.01, 4, 5]);
  });

  it('copes with counts in the billions that all say yes', () => {
    const { mean, precision } = fitLogistic(
      countedRows(2, [
        { active: [0, 1], n: 4e9, sumR: 4e9 },
        { active: [0], n: 4e9, sumR: 0 },
      ]),
      Float64Array.of(0.01, 0.01),
    );
    for (const value of [...mean, ...precision]) expect(Number.isFinite(value)).toBe(true);
    expect(logistic(mean[0]! + mean[1]!)).toBeGreaterThan(1 - 1e-6);
    expect(logistic(mean[0]!)).toBeLessThan(1e-6);
  });

  it.each([1e6, 1e9, 1e12])('ends where rounding is all that is left, with %d decisions a pattern', (n) => {
    const random = seededRandom(9);
    const layouts = Array.from({ length: 27 }, (_, at) => [
      0,
      1 + Math.floor(at / 9),
      4 + (Math.floor(at / 3) % 3),
      7 + (at % 3),
    ]);
    const rows = layouts.map((active) => ({ active, n, sumR: Math.floor(n * random.next()) }));
    const { mean } = fitLogistic(countedRows(10, rows), new Float64Array(10).fill(10));
    for (const value of mean) expect(Math.abs(value)).toBeLessThan(5);
  });

  it('refuses counts that are no numbers, rather than fit to them', () => {
    const rows = countedRows(1, [{ active: [0], n: Number.NaN, sumR: 0 }]);
    expect(() => fitLogistic(rows, Float64Array.of(1))).toThrow(Corrupt);
    expect(() => fitLogistic(rows, Float64Array.of(1))).toThrow('the fit of 1 weights to 1 patterns did not converge');
  });
});

interface SeenDecision {
  readonly x: readonly number[];
  readonly r: number;
}

/** Each has an intercept and some of few patterns of the other columns; rewards are 0, 1 and sometimes between. */
function randomDecisions(random: Random, count: number, columns: number): SeenDecision[] {
  const bit = () => (random.next() < 0.4 ? 1 : 0);
  const patterns = Array.from({ length: 25 }, () => [1, ...Array.from({ length: columns - 1 }, bit)]);
  return Array.from({ length: count }, () => {
    const x = patterns[Math.floor(random.next() * patterns.length)]!;
    const draw = random.next();
    return { x, r: draw < 0.1 ? random.next() : draw < 0.3 + 0.4 * x[1]! ? 1 : 0 };
  });
}

function counted(decisions: readonly SeenDecision[], columns: number): CountedRows {
  const byPattern = Map.groupBy(decisions, ({ x }) => x.join());
  return countedRows(
    columns,
    [...byPattern.values()].map((same) => ({
      active: same[0]!.x.flatMap((value, i) => (value === 1 ? [i] : [])),
      n: same.length,
      sumR: same.reduce((sum, { r }) => sum + r, 0),
    })),
  );
}

function countedRows(
  columns: number,
  rows: readonly { readonly active: readonly number[]; readonly n: number; readonly sumR: number }[],
): CountedRows {
  return {
    columns,
    active: rows.map(({ active }) => Int32Array.from(active)),
    n: Float64Array.from(rows, ({ n }) => n),
    sumR: Float64Array.from(rows, ({ sumR }) => sumR),
  };
}

/** One row a decision, dense matrices of another library, short steps first, and no end before the gradient vanishes. */
function referenceFit(
  decisions: readonly SeenDecision[],
  prior: Float64Array,
): { mean: number[]; precision: number[] } {
  const x = new Matrix(decisions.map((decision) => [...decision.x]));
  const r = Matrix.columnVector(decisions.map((decision) => decision.r));
  const ridge = Matrix.diag([...prior]);
  const p = (w: Matrix) =>
    Matrix.columnVector(
      x
        .mmul(w)
        .to1DArray()
        .map((logit) => 1 / (1 + Math.exp(-logit))),
    );
  const gradientAt = (w: Matrix) => Matrix.add(x.transpose().mmul(Matrix.sub(p(w), r)), ridge.mmul(w));
  const hessianAt = (w: Matrix) => {
    const curvature = p(w)
      .to1DArray()
      .map((q) => q * (1 - q));
    return Matrix.add(x.transpose().mmul(Matrix.diag(curvature)).mmul(x), ridge);
  };
  let w = Matrix.zeros(prior.length, 1);
  for (let round = 0; round < 500 && gradientAt(w).norm() > 1e-11; round++) {
    const step = solve(hessianAt(w), gradientAt(w));
    w = Matrix.sub(w, step.mul(Math.min(1, 0.1 * (round + 1))));
  }
  return { mean: w.to1DArray(), precision: hessianAt(w).diag() };
}

function expectNear(found: Float64Array, expected: readonly number[], tolerance: number): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(found[i]! - value), `entry ${i}`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(value)));
  }
}
