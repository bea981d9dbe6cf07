/**
 * Ridge regression of the reward on the context, one model an arm: what the linear policies learn and predict with.
 * A = λI + Σxxᵀ, θ = θ₀ + A⁻¹ Σ(r − xᵀθ₀)x for a prior mean θ₀; a prediction has mean xᵀθ and variance σ² xᵀVx, with σ the
 * noise of one reward and V = A⁻¹ for models that share nothing. Not here: how much of the variance a policy explores.
 */
import { Corrupt, Invalid } from '../errors.ts';
import { choleskyFactor, choleskyInverse, choleskySolve } from '../numerics/cholesky.ts';
import { gramStart, SUM_RR, VECTOR_START } from '../sums/layout.ts';
import type { PolicyInput, PolicyState } from './policy.ts';
import { block } from './state.ts';
import { statistic } from './statistics.ts';

export interface RidgeFit {
  /** θ, d cells an arm. */
  readonly theta: Float64Array;
  /** A⁻¹, packed lower triangle, d(d+1)/2 cells an arm. */
  readonly inverse: Float64Array;
  /** Σ (r − xᵀθ)² + λ|θ − θ₀|² over all arms: the least that any θ reaches. */
  readonly squares: number;
}

/** Of a reward in [0, 1], at most; the estimate of the noise starts with one such reward. */
const NOISE_VARIANCE_MAX = 0.25;
/** Share of Σr² by which rounding may make a sum of squares negative. */
const ROUNDING = 1e-6;

/**
 * Models without shared coefficients. A priori an arm earns what all arms earn on average, whatever the context.
 * @returns blocks `theta`, `inverse` and `noise`. @throws as `fitRidge` and `statistic` do.
 */
export function prepareRidge(input: PolicyInput, lambda: number): PolicyState {
  const n = total(statistic(input, 'n'));
  const pooled = n > 0 ? total(statistic(input, 'sumR')) / n : 0;
  return ridgeState(input, fitRidge(input, lambda, pooled));
}

/** @returns blocks `theta`, `inverse` and `noise`, one cell: σ, the root of the mean square over all arms. */
export function ridgeState(input: PolicyInput, { theta, inverse, squares }: RidgeFit): PolicyState {
  const variance = (NOISE_VARIANCE_MAX + squares) / (1 + total(statistic(input, 'n')));
  return new Map([
    ['theta', theta],
    ['inverse', inverse],
    ['noise', Float64Array.of(Math.sqrt(variance))],
  ]);
}

/**
 * @param intercept θ₀'s first cell, the coefficient of the 1 that contexts start with; its other cells are 0.
 * @throws Corrupt `gram-matrix` or `reward-sums` naming the arm whose sums cannot be what the learner keeps.
 */
export function fitRidge(input: PolicyInput, lambda: number, intercept = 0): RidgeFit {
  const { dimension } = input.layout;
  const armCount = input.sums.length;
  const cells = (dimension * (dimension + 1)) / 2;
  const theta = new Float64Array(armCount * dimension);
  const inverse = new Float64Array(armCount * cells);
  let squares = 0;
  for (let arm = 0; arm < armCount; arm++) {
    const factor = factorOf(input, arm, lambda);
    // Aθ = Σrx + λθ₀, the same θ with fewer operations.
    const rewards = rewardsOf(input, arm).slice();
    rewards[0]! += lambda * intercept;
    const own = choleskySolve(factor, dimension, rewards);
    theta.set(own, arm * dimension);
    inverse.set(choleskyInverse(factor, dimension), arm * cells);
    squares += squaresOf(input, arm, lambda * intercept * intercept - dot(own, rewards));
  }
  return { theta, inverse, squares };
}

/** @param change of Σr² by the model: λ|θ₀|² − θᵀ(Σrx + λθ₀). @throws Corrupt `reward-sums`. */
function squaresOf({ armIds, delayCorrected, sums }: PolicyInput, arm: number, change: number): number {
  const rewards = sums[arm]![SUM_RR]!;
  // What few rewards have had time to come may be exceeded by those that did: A is not that of their contexts then.
  if (delayCorrected === true || rewards + change >= -ROUNDING * (1 + rewards)) return Math.max(rewards + change, 0);
  throw new Corrupt(
    'reward-sums',
    `arm ${armIds[arm]}: its model explains ${-change} of Σr² = ${rewards}; its sums are wrong`,
  );
}

/** @throws Invalid `arms-none`, `policy-context`. */
export function requireArmsAndContext(kind: string, { layout, sums }: PolicyInput): void {
  if (sums.length === 0) throw new Invalid('arms-none', 'there is no arm to choose, at least one is needed');
  if (layout.dimension > 0) return;
  throw new Invalid('policy-context', `${kind} needs a context, the experiment declares none`);
}

function factorOf({ layout, armIds, sums }: PolicyInput, arm: number, lambda: number): Float64Array {
  const { dimension } = layout;
  const matrix = sums[arm]!.slice(gramStart(layout), layout.size);
  for (let i = 0; i < dimension; i++) matrix[(i * (i + 1)) / 2 + i]! += lambda;
  const factor = choleskyFactor(matrix, dimension);
  if (factor !== null) return factor;
  throw new Corrupt(
    'gram-matrix',
    `arm ${armIds[arm]}: λI + Σxxᵀ is not positive definite with λ = ${lambda}; its sums are wrong`,
  );
}

/** Σrx of an arm, d cells. @throws Corrupt `reward-sums`. */
function rewardsOf({ layout, armIds, sums }: PolicyInput, arm: number): Float64Array {
  const rewards = sums[arm]!.subarray(VECTOR_START, VECTOR_START + layout.dimension);
  const wrong = rewards.findIndex((cell) => !Number.isFinite(cell));
  if (wrong < 0) return rewards;
  throw new Corrupt('reward-sums', `arm ${armIds[arm]}: cell ${wrong} of Σrx is ${rewards[wrong]}; its sums are wrong`);
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, cell, i) => sum + cell * b[i]!, 0);
}

/** @param context encoded. @throws Invalid `context` saying which number is wrong. */
export function checkContext(context: Float64Array, dimension: number): void {
  if (context.length !== dimension) {
    throw new Invalid('context', `context has ${context.length} numbers, the snapshot has ${dimension}`);
  }
  for (let i = 0; i < dimension; i++) {
    if (!Number.isFinite(context[i]!)) throw new Invalid('context', `number ${i} of the context is ${context[i]}`);
  }
}

/** Predictions from the blocks `theta` and `inverse` of a snapshot. Allocates nothing. */
export class RidgeModels {
  readonly dimension: number;
  private readonly theta: Float64Array;
  private readonly inverse: Float64Array;
  /** Scratch: Vx. */
  private readonly product: Float64Array;

  constructor(state: PolicyState, inverse: Float64Array = block(state, 'inverse')) {
    this.theta = block(state, 'theta');
    this.inverse = inverse;
    this.dimension = (2 * this.inverse.length) / this.theta.length - 1;
    this.product = new Float64Array(this.dimension);
  }

  /** Models with a matrix of their own, for `expose` to change. */
  static ofTheirOwn(state: PolicyState): RidgeModels {
    return new RidgeModels(state, block(state, 'inverse').slice());
  }

  get armCount(): number {
    return this.theta.length / this.dimension;
  }

  mean(context: Float64Array, arm: number): number {
    const { theta, dimension } = this;
    const start = arm * dimension;
    let mean = 0;
    for (let i = 0; i < dimension; i++) mean += theta[start + i]! * context[i]!;
    return mean;
  }

  /** Not below 0, though rounding may take it there. */
  variance(context: Float64Array, arm: number): number {
    const { inverse, dimension } = this;
    let row = (arm * dimension * (dimension + 1)) / 2;
    let diagonal = 0;
    let below = 0;
    for (let i = 0; i < dimension; row += ++i) {
      const x = context[i]!;
      // One-hot features make most rows vanish.
      if (x === 0) continue;
      let even = 0;
      let odd = 0;
      let j = 0;
      for (; j + 1 < i; j += 2) {
        even += inverse[row + j]! * context[j]!;
        odd += inverse[row + j + 1]! * context[j + 1]!;
      }
      if (j < i) even += inverse[row + j]! * context[j]!;
      below += (even + odd) * x;
      diagonal += inverse[row + i]! * x * x;
    }
    return Math.max(diagonal + 2 * below, 0);
  }
  /**
   * Makes an arm's V what it is with one more decision in the sums: V − Vxxᵀ V/(1 + xᵀVx) (Sherman & Morrison 1950). Only
   * ever takes away, and a new snapshot starts from a Cholesky factor again, so that rounding has no time to grow.
   */
  expose(context: ArrayLike<number>, arm: number): void {
    const { inverse, dimension, product } = this;
    const start = (arm * dimension * (dimension + 1)) / 2;
    product.fill(0);
    let cell = start;
    for (let i = 0; i < dimension; i++) {
      for (let j = 0; j < i; j++, cell++) {
        product[i]! += inverse[cell]! * context[j]!;
        product[j]! += inverse[cell]! * context[i]!;
      }
      product[i]! += inverse[cell++]! * context[i]!;
    }
    let width = 1;
    for (let i = 0; i < dimension; i++) width += product[i]! * context[i]!;
    cell = start;
    for (let i = 0; i < dimension; i++) {
      const share = product[i]! / width;
      for (let j = 0; j <= i; j++) inverse[cell++]! -= share * product[j]!;
    }
  }
}
