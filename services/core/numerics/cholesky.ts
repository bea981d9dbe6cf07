/**
 * Cholesky factors of symmetric positive definite matrices, packed by rows of the lower triangle:
 * cell (i, j), j ≤ i, is at i(i+1)/2 + j. Snapshot time only; O(d³).
 */

/** Below this share of its diagonal cell a pivot is rounding noise, and the matrix singular. */
const PIVOT_SHARE_MIN = 1e-14;

/** @returns the packed lower factor L with L·Lᵀ = matrix, or `null` when the matrix is not positive definite. */
export function choleskyFactor(matrix: Float64Array, dimension: number): Float64Array | null {
  const factor = matrix.slice();
  for (let i = 0; i < dimension; i++) {
    const row = (i * (i + 1)) / 2;
    for (let j = 0; j <= i; j++) {
      const other = (j * (j + 1)) / 2;
      let rest = factor[row + j]!;
      for (let k = 0; k < j; k++) rest -= factor[row + k]! * factor[other + k]!;
      if (j < i) {
        factor[row + j] = rest / factor[other + j]!;
      } else {
        // Negated so that NaN is refused too.
        if (!(rest > PIVOT_SHARE_MIN * matrix[row + i]!)) return null;
        factor[row + i] = Math.sqrt(rest);
      }
    }
  }
  return factor;
}

/** @returns x with L·Lᵀ·x = rhs, length d. */
export function choleskySolve(factor: Float64Array, dimension: number, rhs: Float64Array): Float64Array {
  const x = rhs.slice();
  for (let i = 0; i < dimension; i++) {
    const row = (i * (i + 1)) / 2;
    for (let k = 0; k < i; k++) x[i]! -= factor[row + k]! * x[k]!;
    x[i]! /= factor[row + i]!;
  }
  for (let i = dimension - 1; i >= 0; i--) {
    for (let k = i + 1; k < dimension; k++) x[i]! -= factor[(k * (k + 1)) / 2 + i]! * x[k]!;
    x[i]! /= factor[(i * (i + 1)) / 2 + i]!;
  }
  return x;
}

/** @returns (L·Lᵀ)⁻¹, packed. */
export function choleskyInverse(factor: Float64Array, dimension: number): Float64Array {
  const inverse = new Float64Array(factor.length);
  for (let i = 0; i < dimension; i++) {
    const basis = new Float64Array(dimension);
    basis[i] = 1;
    inverse.set(choleskySolve(factor, dimension, basis).subarray(0, i + 1), (i * (i + 1)) / 2);
  }
  return inverse;
}
