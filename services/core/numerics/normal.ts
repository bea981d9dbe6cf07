/** The standard normal distribution's tail, for p-values. */

const SERIES_UP_TO = 2.5;

/** P(|Z| > |z|), relative error about 1e-13. Sources: DLMF 7.6.2 near zero, the continued fraction 7.9.2 beyond. */
export function normalTwoSidedTail(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  return x < SERIES_UP_TO ? 1 - errorFunctionSeries(x) : complementFraction(x);
}

/** erf x = 2/√π · e^(−x²) Σ 2ⁿ x^(2n+1) / (2n + 1)!!, all terms positive. */
function errorFunctionSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * Number.EPSILON; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** √π e^(x²) erfc x = 1/(x + ½/(x + 1/(x + 3⁄2/(x + …)))), from the far end; 60 levels suffice from x = 2.5 on. */
function complementFraction(x: number): number {
  let denominator = x;
  for (let level = 60; level >= 1; level--) denominator = x + level / 2 / denominator;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * denominator);
}
