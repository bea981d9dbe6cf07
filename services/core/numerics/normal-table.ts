/**
 * The standard normal distribution Φ and its density as piecewise polynomials, for loops that need many of both.
 * Computed once, when the module loads. Not here: tails beyond the table, which are below 1e-17.
 */
import { normalTwoSidedTail } from './normal.ts';

/** The table holds −REACH ≤ z ≤ REACH. */
export const REACH = 8.5;
/** Expansion points for each unit of z. */
export const STEPS = 16;
/** Taylor coefficients for each point, from the constant on: at a distance of 1/32 the first omitted term is below 1e-16. */
export const TERMS = 8;

/** Point i, z = i/STEPS − REACH, has its coefficients of Φ from i·TERMS on; differentiated they give the density. */
export const NORMAL_TABLE = table();

function table(): Float64Array {
  const points = 2 * REACH * STEPS + 1;
  const coefficients = new Float64Array(points * TERMS);
  for (let i = 0; i < points; i++) expand(i / STEPS - REACH, coefficients.subarray(i * TERMS, (i + 1) * TERMS));
  return coefficients;
}

/** Φ⁽ⁿ⁾(z) = (−1)ⁿ⁻¹ Heₙ₋₁(z) φ(z), with Heₙ₊₁ = z Heₙ − n Heₙ₋₁ (DLMF 18.9). */
function expand(z: number, into: Float64Array): void {
  const tail = normalTwoSidedTail(z) / 2;
  into[0] = z < 0 ? tail : 1 - tail;
  let before = 0;
  let hermite = 1;
  let scale = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  for (let n = 1; n < TERMS; n++) {
    into[n] = scale * hermite;
    [before, hermite] = [hermite, z * hermite - (n - 1) * before];
    scale /= -(n + 1);
  }
}
