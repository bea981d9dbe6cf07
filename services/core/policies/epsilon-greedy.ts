/**
 * ε-greedy: the arms with the best mean reward share 1 − ε, all arms share ε. An untried arm has mean 0.
 */
import { N, SUM_R } from '../sums/layout.ts';
import { pick, shareAmongBest } from './best.ts';
import type { Policy } from './policy.ts';
import { block, parameter } from './state.ts';

export const epsilonGreedy: Policy = {
  kind: 'epsilon-greedy',
  doc: 'The best mean reward with probability 1 − epsilon, any arm evenly otherwise.',
  contextual: false,
  parameters: [
    { name: 'epsilon', default: 0.1, min: 0, max: 1, doc: 'Share of decisions spread evenly over all arms.' },
  ],

  prepare(input) {
    const means = Float64Array.from(input.sums, (sums) => (sums[N]! > 0 ? sums[SUM_R]! / sums[N]! : 0));
    return new Map([['mean', means]]);
  },

  serve(state, parameters) {
    const means = block(state, 'mean');
    const epsilon = parameter(parameters, 'epsilon');
    return {
      probabilities(_context, eligible) {
        const shares = shareAmongBest(pick(means, eligible));
        for (let i = 0; i < shares.length; i++) shares[i] = (1 - epsilon) * shares[i]! + epsilon / shares.length;
        return shares;
      },
      scores: (_context, eligible) => pick(means, eligible),
    };
  },
};
