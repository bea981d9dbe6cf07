/**
 * Logistic regression with a Gaussian prior on rows of zeros and ones: the most probable weights by Newton's method
 * (iteratively reweighted least squares) and Laplace's approximation around them (Chapelle & Li 2011, Algorithm 3).
 * It starts from the prior's mean: a start from earlier weights would save some of the seven or so rounds, but the last
 * bits would then tell which data came first. Snapshot time only; a round takes O(Σ active² + columns³).
 */
import { Corrupt } from '../errors.ts';
import { choleskyFactor, choleskySolve } from './cholesky.ts';

/** Rows that differ, each with how often it was seen and what it earned. */
export interface CountedRows {
  readonly columns: number;
  /** By row, where it is 1, ascending. */
  readonly active: readonly Int32Array[];
  /** By row, at least 0, not always whole. */
  readonly n: Float64Array;
  /** By row, the sum of its rewards in [0, 1]: from 0 to n. */
  readonly sumR: Float64Array;
}

export interface LogisticFit {
  /** The most probable weights, by column. */
  readonly mean: Float64Array;
  /** The diagonal of the Hessian there, by column: 1/σ² + Σ n x² p(1 − p). */
  readonly precision: Float64Array;
}

const ROUNDS_MAX = 100;
const HALVINGS_MAX = 60;
/** A step smaller than this, at quadratic convergence, leaves an error that float64 does not hold. */
const STEP_MIN = 1e-7;
/** Share of the loss that is rounding. */
const ROUNDING = 1e-13;

/**
 * @param prior precision by column; above 0. The prior's mean is 0.
 * @throws Corrupt `logistic` when it does not converge, which finite counts cannot bring about.
 */
export function fitLogistic(rows: CountedRows, prior: Float64Array): LogisticFit {
  const { columns, active } = rows;
  const mean = new Float64Array(columns);
  const logits = new Float64Array(active.length);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { gradient, hessian } = derivatives(rows, prior, mean, logits);
    const factor = choleskyFactor(hessian, columns);
    if (factor === null) break;
    const step = choleskySolve(factor, columns, gradient);
    const fell = descend(rows, prior, mean, logits, step);
    if (!fell || step.every((cell, i) => Math.abs(cell) <= STEP_MIN * (1 + Math.abs(mean[i]!)))) {
      return { mean, precision: diagonal(derivatives(rows, prior, mean, logits).hessian, columns) };
    }
  }
  throw new Corrupt(
    'logistic',
    `the fit of ${columns} weights to ${active.length} patterns did not converge in ${ROUNDS_MAX} rounds`,
  );
}

/** Of the negative log posterior. @returns the Hessian as a packed lower triangle. */
function derivatives(
  { columns, active, n, sumR }: CountedRows,
  prior: Float64Array,
  mean: Float64Array,
  logits: Float64Array,
): { readonly gradient: Float64Array; readonly hessian: Float64Array } {
  const gradient = mean.map((weight, i) => prior[i]! * weight);
  const hessian = new Float64Array((columns * (columns + 1)) / 2);
  for (let i = 0; i < columns; i++) hessian[(i * (i + 1)) / 2 + i] = prior[i]!;
  for (let row = 0; row < active.length; row++) {
    const ones = active[row]!;
    const p = logistic(logits[row]!);
    // Not 1 − p, nor n·p − Σr, which are all rounding where p is near 1.
    const q = logistic(-logits[row]!);
    const residual = (n[row]! - sumR[row]!) * p - sumR[row]! * q;
    const curvature = n[row]! * p * q;
    for (let a = 0; a < ones.length; a++) {
      const i = ones[a]!;
      const start = (i * (i + 1)) / 2;
      gradient[i]! += residual;
      for (let b = 0; b <= a; b++) hessian[start + ones[b]!]! += curvature;
    }
  }
  return { gradient, hessian };
}

/**
 * mean −= t · step and logits with it, t the first of 1, ½, ¼, … at which the loss does not rise.
 * @returns whether it fell; where rounding is all that is left, it does not.
 */
function descend(
  rows: CountedRows,
  prior: Float64Array,
  mean: Float64Array,
  logits: Float64Array,
  step: Float64Array,
): boolean {
  const slopes = sumsOfActive(rows, step);
  const before = loss(rows, prior, mean, logits);
  for (let t = 1, halvings = 0; halvings < HALVINGS_MAX; t /= 2, halvings++) {
    const moved = mean.map((weight, i) => weight - t * step[i]!);
    const shifted = logits.map((logit, row) => logit - t * slopes[row]!);
    const after = loss(rows, prior, moved, shifted);
    if (!(after <= before + ROUNDING * before)) continue;
    mean.set(moved);
    logits.set(sumsOfActive(rows, moved));
    return after < before;
  }
  return false;
}

/** @returns by row, the sum of the weights where it is 1. */
function sumsOfActive({ active }: CountedRows, weights: Float64Array): Float64Array {
  const sums = new Float64Array(active.length);
  for (let row = 0; row < active.length; row++) {
    const ones = active[row]!;
    let sum = 0;
    for (let a = 0; a < ones.length; a++) sum += weights[ones[a]!]!;
    sums[row] = sum;
  }
  return sums;
}

/** The negative log posterior, up to a constant. */
function loss({ active, n, sumR }: CountedRows, prior: Float64Array, mean: Float64Array, logits: Float64Array): number {
  let total = 0;
  for (let i = 0; i < mean.length; i++) total += (prior[i]! * mean[i]! * mean[i]!) / 2;
  for (let row = 0; row < active.length; row++) {
    const logit = logits[row]!;
    // sumR ln(1 + e⁻ˣ) + (n − sumR) ln(1 + eˣ), with no difference of large numbers.
    const tail = Math.log1p(Math.exp(-Math.abs(logit)));
    total += n[row]! * tail + (logit > 0 ? n[row]! - sumR[row]! : -sumR[row]!) * logit;
  }
  return total;
}

export function logistic(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

function diagonal(packed: Float64Array, columns: number): Float64Array {
  return Float64Array.from({ length: columns }, (_, i) => packed[(i * (i + 1)) / 2 + i]!);
}
