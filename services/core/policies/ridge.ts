/**
 * Ridge regression of the reward on the context, one model an arm: what the linear policies learn and predict with.
 * A = λI + Σxxᵀ, θ = A⁻¹ Σrx; a prediction has mean xᵀθ and variance xᵀVx in units of the noise, V = A⁻¹ for models that
 * share nothing. Not here: how much of the variance a policy explores.
 */
import { Corrupt, Invalid } from '../errors.ts';
import { choleskyFactor, choleskyInverse, choleskySolve } from '../numerics/cholesky.ts';
import { gramStart, VECTOR_START } from '../sums/layout.ts';
import type { PolicyInput, PolicyState } from './policy.ts';
import { block } from './state.ts';

export interface RidgeFit {
  /** θ, d cells an arm. */
  readonly theta: Float64Array;
  /** A⁻¹, packed lower triangle, d(d+1)/2 cells an arm. */
  readonly inverse: Float64Array;
}

/** @throws Corrupt `gram-matrix` or `reward-sums` naming the arm whose sums cannot be what the learner keeps. */
export function fitRidge(input: PolicyInput, lambda: number): RidgeFit {
  const { dimension } = input.layout;
  const armCount = input.sums.length;
  const cells = (dimension * (dimension + 1)) / 2;
  const theta = new Float64Array(armCount * dimension);
  const inverse = new Float64Array(armCount * cells);
  for (let arm = 0; arm < armCount; arm++) {
    const factor = factorOf(input, arm, lambda);
    theta.set(choleskySolve(factor, dimension, rewardsOf(input, arm)), arm * dimension);
    inverse.set(choleskyInverse(factor, dimension), arm * cells);
  }
  return { theta, inverse };
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
export function rewardsOf({ layout, armIds, sums }: PolicyInput, arm: number): Float64Array {
  const rewards = sums[arm]!.subarray(VECTOR_START, VECTOR_START + layout.dimension);
  const wrong = rewards.findIndex((cell) => !Number.isFinite(cell));
  if (wrong < 0) return rewards;
  throw new Corrupt('reward-sums', `arm ${armIds[arm]}: cell ${wrong} of Σrx is ${rewards[wrong]}; its sums are wrong`);
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

  constructor(state: PolicyState) {
    this.theta = block(state, 'theta');
    this.inverse = block(state, 'inverse');
    this.dimension = (2 * this.inverse.length) / this.theta.length - 1;
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
}
