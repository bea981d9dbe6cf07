/**
 * ε-greedy with ε = max(ε_min, ε₀ · decayᴺ), where N are the decisions of all arms whose reward counts: exploration
 * falls as evidence comes, not as time passes. An untried arm has mean 0.
 */
import { mixEvenly, pick, shareAmongBest } from './best.ts';
import type { Policy } from './policy.ts';
import { block, parameter } from './state.ts';
import { meanRewards, statistic } from './statistics.ts';

export const epsilonGreedyDecayed: Policy = {
  kind: 'epsilon-greedy-decayed',
  doc: 'ε-greedy whose epsilon falls exponentially with the decisions learned from, down to a least value.',
  contextual: false,
  parameters: [
    { name: 'epsilon', default: 1, min: 0, max: 1, doc: 'Share spread evenly before anything is learned.' },
    { name: 'decay', default: 0.999, min: 0, max: 1, doc: 'Factor of epsilon for each decision whose reward counts.' },
    { name: 'epsilonMin', default: 0.01, min: 0, max: 1, doc: 'Epsilon falls no lower.' },
  ],

  prepare: (input) =>
    new Map([
      ['mean', meanRewards(input)],
      ['n', statistic(input, 'n')],
    ]),

  serve(state, parameters) {
    const means = block(state, 'mean');
    const total = block(state, 'n').reduce((sum, count) => sum + count, 0);
    const decayed = parameter(parameters, 'epsilon') * parameter(parameters, 'decay') ** total;
    const epsilon = Math.max(parameter(parameters, 'epsilonMin'), decayed);
    return {
      probabilities: (_context, eligible) => mixEvenly(shareAmongBest(pick(means, eligible)), epsilon),
      scores: (_context, eligible) => pick(means, eligible),
    };
  },
};
