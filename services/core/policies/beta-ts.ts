/**
 * Beta–Bernoulli Thompson sampling with exact selection probabilities. Fractional rewards in [0, 1] count as
 * fractional successes: Beta(α₀ + Σr, β₀ + n − Σr).
 */
import { BetaPosteriors } from '../numerics/beta-posteriors.ts';
import { selectionProbabilities } from '../numerics/selection-probabilities.ts';
import { N, SUM_R } from '../sums/layout.ts';
import { pick } from './best.ts';
import type { Policy } from './policy.ts';
import { block, parameter } from './state.ts';
import { SubsetMemo } from './subset-memo.ts';

export const betaTs: Policy = {
  kind: 'beta-ts',
  doc: 'Each arm with the probability that it is the best, given independent Beta posteriors.',
  contextual: false,
  parameters: [
    { name: 'priorAlpha', default: 1, min: 0.1, max: 1e6, doc: 'Successes each arm is assumed to start with.' },
    { name: 'priorBeta', default: 1, min: 0.1, max: 1e6, doc: 'Failures each arm is assumed to start with.' },
  ],

  prepare(input, parameters) {
    const priorAlpha = parameter(parameters, 'priorAlpha');
    const priorBeta = parameter(parameters, 'priorBeta');
    const alpha = Float64Array.from(input.sums, (sums) => priorAlpha + sums[SUM_R]!);
    const beta = Float64Array.from(input.sums, (sums) => priorBeta + sums[N]! - sums[SUM_R]!);
    return new Map([
      ['alpha', alpha],
      ['beta', beta],
      ['probability', selectAmong(alpha, beta)],
    ]);
  },

  serve(state) {
    const alpha = block(state, 'alpha');
    const beta = block(state, 'beta');
    const means = alpha.map((a, arm) => a / (a + beta[arm]!));
    const memo = new SubsetMemo(block(state, 'probability'), (eligible) =>
      selectAmong(pick(alpha, eligible), pick(beta, eligible)),
    );
    return {
      probabilities: (_context, eligible) => memo.find(eligible).slice(),
      scores: (_context, eligible) => pick(means, eligible),
    };
  },
};

function selectAmong(alpha: Float64Array, beta: Float64Array): Float64Array {
  const probabilities = selectionProbabilities(new BetaPosteriors(alpha, beta));
  const total = probabilities.reduce((sum, p) => sum + p, 0);
  return probabilities.map((p) => p / total);
}
