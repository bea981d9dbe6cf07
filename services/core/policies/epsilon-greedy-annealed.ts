/**
 * εₙ-greedy (Auer, Cesa-Bianchi & Fischer 2002, figure 3): ε-greedy with ε = min(1, cK/(d²t)), where K are the eligible
 * arms and t the decisions of all arms whose reward counts. Its regret grows like ln t when d is at most the gap between
 * the two best means and c > 5; in practice far smaller c do better. An untried arm has mean 0.
 */
import { mixEvenly, pick, shareAmongBest } from './best.ts';
import type { Policy } from './policy.ts';
import { block, parameter } from './state.ts';
import { meanRewards, statistic } from './statistics.ts';

export const epsilonGreedyAnnealed: Policy = {
  kind: 'epsilon-greedy-annealed',
  doc: 'ε-greedy whose epsilon falls like one over the decisions learned from: min(1, c K / (gap² t)).',
  contextual: false,
  parameters: [
    { name: 'c', default: 0.3, min: 1e-6, max: 1e6, doc: 'How much is explored.' },
    { name: 'gap', default: 0.1, min: 1e-6, max: 1, doc: 'Least difference of mean rewards in [0, 1] that matters.' },
  ],

  prepare: (input) =>
    new Map([
      ['mean', meanRewards(input)],
      ['n', statistic(input, 'n')],
    ]),

  serve(state, parameters) {
    const means = block(state, 'mean');
    const total = block(state, 'n').reduce((sum, count) => sum + count, 0);
    const perArm = parameter(parameters, 'c') / (parameter(parameters, 'gap') ** 2 * total);
    return {
      probabilities: (_context, eligible) =>
        mixEvenly(shareAmongBest(pick(means, eligible)), Math.min(1, perArm * eligible.length)),
      scores: (_context, eligible) => pick(means, eligible),
    };
  },
};
