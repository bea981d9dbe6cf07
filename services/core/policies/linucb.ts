/**
 * LinUCB with disjoint linear models (Li, Chu, Langford & Schapire 2010, algorithm 1):
 * A = λI + Σxxᵀ, θ = A⁻¹ Σrx, score xᵀθ + α √(xᵀA⁻¹x).
 */
import { Corrupt, Invalid } from '../errors.ts';
import { choleskyFactor, choleskyInverse, choleskySolve } from '../numerics/cholesky.ts';
import { gramStart, VECTOR_START } from '../sums/layout.ts';
import { shareAmongBest } from './best.ts';
import type { Policy, PolicyInput } from './policy.ts';
import { block, parameter } from './state.ts';

export const linUcb: Policy = {
  kind: 'linucb',
  doc: 'The greatest upper confidence bound of a linear model of the context, one model an arm. Deterministic between two snapshots.',
  contextual: true,
  parameters: [
    { name: 'alpha', default: 1, min: 0, max: 100, doc: 'Width of the confidence bound.' },
    {
      name: 'lambda',
      default: 1,
      min: 1e-6,
      max: 1e6,
      doc: 'Ridge: the weight of the prior that all coefficients are 0.',
    },
  ],

  prepare(input, parameters) {
    const { dimension } = input.layout;
    if (dimension === 0) throw new Invalid('policy-context', 'linucb needs a context, the experiment declares none');
    const lambda = parameter(parameters, 'lambda');
    const armCount = input.sums.length;
    const cells = (dimension * (dimension + 1)) / 2;
    const theta = new Float64Array(armCount * dimension);
    const inverse = new Float64Array(armCount * cells);
    for (let arm = 0; arm < armCount; arm++) {
      const factor = factorOf(input, arm, lambda);
      const rewards = input.sums[arm]!.subarray(VECTOR_START, VECTOR_START + dimension);
      theta.set(choleskySolve(factor, dimension, rewards), arm * dimension);
      inverse.set(choleskyInverse(factor, dimension), arm * cells);
    }
    return new Map([
      ['theta', theta],
      ['inverse', inverse],
    ]);
  },

  serve(state, parameters) {
    const theta = block(state, 'theta');
    const inverse = block(state, 'inverse');
    const alpha = parameter(parameters, 'alpha');
    function scores(context: Float64Array, eligible: readonly number[]): Float64Array {
      const bounds = new Float64Array(eligible.length);
      for (let i = 0; i < bounds.length; i++) bounds[i] = upperBound(theta, inverse, alpha, context, eligible[i]!);
      return bounds;
    }
    return { probabilities: (context, eligible) => shareAmongBest(scores(context, eligible)), scores };
  },
};

/** @throws Corrupt naming the arm. */
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

function upperBound(
  theta: Float64Array,
  inverse: Float64Array,
  alpha: number,
  context: Float64Array,
  arm: number,
): number {
  const dimension = context.length;
  const thetaStart = arm * dimension;
  let cell = (arm * (dimension * (dimension + 1))) / 2;
  let mean = 0;
  let diagonal = 0;
  let below = 0;
  for (let i = 0; i < dimension; i++) {
    const x = context[i]!;
    let row = 0;
    for (let j = 0; j < i; j++) row += inverse[cell++]! * context[j]!;
    mean += theta[thetaStart + i]! * x;
    below += row * x;
    diagonal += inverse[cell++]! * x * x;
  }
  return mean + alpha * Math.sqrt(Math.max(diagonal + 2 * below, 0));
}
