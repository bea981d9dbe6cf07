import { EigenvalueDecomposition, inverse, Matrix, solve } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { choleskyFactor, choleskyInverse, choleskySolve } from '../../../../services/core/numerics/cholesky.ts';
import { seededRandom } from '../../../../services/core/random.ts';

describe('Cholesky on packed triangles', () => {
  it.each([1, 2, 5, 16, 33])('solves and inverts as a dense library does, d = %d', (dimension) => {
    const random = seededRandom(dimension);
    const half = Matrix.zeros(dimension, dimension).apply(function (i, j) {
      this.set(i, j, random.normal());
    });
    const dense = half.mmul(half.transpose()).add(Matrix.eye(dimension));
    const rhs = Float64Array.from({ length: dimension }, () => random.normal());

    const factor = choleskyFactor(packed(dense), dimension)!;
    const solution = solve(dense, Matrix.columnVector(rhs)).getColumn(0);
    for (const [i, x] of choleskySolve(factor, dimension, rhs).entries()) expect(x).toBeCloseTo(solution[i]!, 10);
    for (const [i, x] of choleskyInverse(factor, dimension).entries()) {
      expect(x).toBeCloseTo(packed(inverse(dense))[i]!, 10);
    }
  });

  it('refuses an indefinite, a singular and a NaN matrix', () => {
    const indefinite = new Matrix([
      [1, 2],
      [2, 1],
    ]);
    expect(new EigenvalueDecomposition(indefinite).realEigenvalues.some((value) => value < 0)).toBe(true);
    expect(choleskyFactor(packed(indefinite), 2)).toBeNull();
    expect(choleskyFactor(Float64Array.of(1, 1, 1), 2)).toBeNull();
    expect(choleskyFactor(Float64Array.of(1, Number.NaN, 1), 2)).toBeNull();
  });
});

function packed(matrix: Matrix): Float64Array {
  const cells: number[] = [];
  for (let i = 0; i < matrix.rows; i++) for (let j = 0; j <= i; j++) cells.push(matrix.get(i, j));
  return Float64Array.from(cells);
}
