/**
 * Gauss–Legendre quadrature on [−1, 1] with 16 nodes, and the matrix that integrates the interpolant from each node
 * to the right end. Computed once, when the module loads.
 */

export const NODE_COUNT = 16;

const legendreDegreeMax = NODE_COUNT + 1;

/** Ascending. */
export const NODES = Float64Array.from({ length: NODE_COUNT }, (_, i) => legendreRoot(NODE_COUNT - 1 - i));
export const WEIGHTS = NODES.map((s) => {
  const p = legendre(s);
  const slope = (NODE_COUNT * (s * p[NODE_COUNT]! - p[NODE_COUNT - 1]!)) / (s * s - 1);
  return 2 / ((1 - s * s) * slope * slope);
});

/** Row k, column m (at k·16 + m): ∫ from node k to 1 of the m-th Lagrange polynomial. */
export const INTEGRAL_TO_RIGHT = integralToRight();

/** P₀(s) … P₁₇(s) by the three-term recurrence. */
function legendre(s: number): Float64Array {
  const p = new Float64Array(legendreDegreeMax + 1);
  p[0] = 1;
  p[1] = s;
  for (let n = 1; n < legendreDegreeMax; n++) p[n + 1] = ((2 * n + 1) * s * p[n]! - n * p[n - 1]!) / (n + 1);
  return p;
}

/** The i-th root of P₁₆ from the right, by Newton from Tricomi's estimate. */
function legendreRoot(i: number): number {
  let s = Math.cos((Math.PI * (i + 0.75)) / (NODE_COUNT + 0.5));
  for (let iteration = 0; iteration < 8; iteration++) {
    const p = legendre(s);
    const slope = (NODE_COUNT * (s * p[NODE_COUNT]! - p[NODE_COUNT - 1]!)) / (s * s - 1);
    s -= p[NODE_COUNT]! / slope;
  }
  return s;
}

/** Expands each Lagrange polynomial in Legendre's, whose integrals are (Pₙ₋₁ − Pₙ₊₁)/(2n + 1). */
function integralToRight(): Float64Array {
  const matrix = new Float64Array(NODE_COUNT * NODE_COUNT);
  const values = Array.from(NODES, legendre);
  for (let k = 0; k < NODE_COUNT; k++) {
    const from = values[k]!;
    for (let m = 0; m < NODE_COUNT; m++) {
      const at = values[m]!;
      let sum = 1 - NODES[k]!;
      for (let n = 1; n < NODE_COUNT; n++) sum += at[n]! * (from[n - 1]! - from[n + 1]!);
      matrix[k * NODE_COUNT + m] = (WEIGHTS[m]! * sum) / 2;
    }
  }
  return matrix;
}
