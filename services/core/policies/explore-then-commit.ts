/**
 * Explore, then commit: every eligible arm alike while one of them has fewer than m decisions whose reward counts,
 * then only the best mean reward.
 */
import { pick, shareAmongBest } from './best.ts';
import type { Policy } from './policy.ts';
import { block, parameter } from './state.ts';
import { meanRewards, statistic } from './statistics.ts';

export const exploreThenCommit: Policy = {
  kind: 'explore-then-commit',
  doc: 'All arms alike until each has been learned from often enough, then the best mean reward only.',
  contextual: false,
  parameters: [
    { name: 'm', default: 100, min: 1, max: 1e9, doc: 'Decisions whose reward counts that each arm must have first.' },
  ],

  prepare: (input) =>
    new Map([
      ['mean', meanRewards(input)],
      ['n', statistic(input, 'n')],
    ]),

  serve(state, parameters) {
    const means = block(state, 'mean');
    const n = block(state, 'n');
    const m = parameter(parameters, 'm');
    return {
      probabilities(_context, eligible) {
        const scores = pick(means, eligible);
        return leastOf(n, eligible) < m ? scores.fill(1 / scores.length) : shareAmongBest(scores);
      },
      scores: (_context, eligible) => pick(means, eligible),
    };
  },
};

function leastOf(n: Float64Array, eligible: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < eligible.length; i++) least = Math.min(least, n[eligible[i]!]!);
  return least;
}
