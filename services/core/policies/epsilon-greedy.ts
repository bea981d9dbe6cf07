/**
 * ε-greedy: the arms with the best mean reward share 1 − ε, all arms share ε. An untried arm has mean 0.
 */
import { mixEvenly, pick, shareAmongBest } from './best.ts';
import type { Policy } from './policy.ts';
import { block, parameter } from './state.ts';
import { meanRewards } from './statistics.ts';

export const epsilonGreedy: Policy = {
  kind: 'epsilon-greedy',
  doc: 'The best mean reward with probability 1 − epsilon, any arm evenly otherwise.',
  contextual: false,
  parameters: [
    { name: 'epsilon', default: 0.1, min: 0, max: 1, doc: 'Share of decisions spread evenly over all arms.' },
  ],

  prepare: (input) => new Map([['mean', meanRewards(input)]]),

  serve(state, parameters) {
    const means = block(state, 'mean');
    const epsilon = parameter(parameters, 'epsilon');
    return {
      probabilities: (_context, eligible) => mixEvenly(shareAmongBest(pick(means, eligible)), epsilon),
      scores: (_context, eligible) => pick(means, eligible),
    };
  },
};
