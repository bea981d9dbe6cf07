/** Stirling's correction: what keeps logarithms of gamma and beta functions accurate when their arguments are large. */
import { assert } from '../errors.ts';

/** From here on the series' first omitted term is below 1e-17. */
const SERIES_FROM = 15;

/**
 * δ(x) = ln Γ(x) − [(x − ½) ln x − x + ½ ln 2π], for x > 0; tends to 1/(12x).
 * Absolute error about 1e-15. Source: DLMF 5.11.1, and δ(x) = δ(x+1) + (x + ½) ln(1 + 1/x) − 1 below the series' reach.
 */
export function stirlingCorrection(x: number): number {
  assert(x > 0, `Stirling's correction of ${x}, allowed above 0`);
  let shifts = 0;
  let shifted = x;
  while (shifted < SERIES_FROM) {
    shifts += (shifted + 0.5) * Math.log1p(1 / shifted) - 1;
    shifted += 1;
  }
  const u = 1 / (shifted * shifted);
  const series = 1 / 12 - u * (1 / 360 - u * (1 / 1260 - u * (1 / 1680 - u * (1 / 1188 - (u * 691) / 360360))));
  return shifts + series / shifted;
}
