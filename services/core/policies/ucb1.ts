/**
 * UCB1 (Auer, Cesa-Bianchi & Fischer 2002): mean + α √(2 ln t / n), where n are the arm's decisions whose reward counts
 * and t those of all arms. Untried arms come first and share evenly. Another α than 1 makes it α-UCB: the bound
 * √(a ln t / 2n) of Bubeck & Cesa-Bianchi (2012) is α = √a / 2.
 */
import { pick, shareAmongBest } from './best.ts';
import { countedExposures, type Policy } from './policy.ts';
import { block, parameter } from './state.ts';
import { meanRewards, statistic } from './statistics.ts';

export const ucb1: Policy = {
  kind: 'ucb1',
  doc: 'The greatest upper confidence bound of the mean reward. Deterministic between two snapshots.',
  contextual: false,
  parameters: [{ name: 'alpha', default: 1, min: 0, max: 100, doc: 'Width of the confidence bound.' }],

  prepare: (input) =>
    new Map([
      ['n', statistic(input, 'n')],
      ['mean', meanRewards(input)],
    ]),

  serve(state, parameters) {
    const n = block(state, 'n').slice();
    const means = block(state, 'mean');
    const alpha = parameter(parameters, 'alpha');
    const total = n.reduce((sum, count) => sum + count, 0);
    const bounds = means.map((_, arm) => boundOf(arm));
    function boundOf(arm: number): number {
      if (n[arm] === 0) return Number.POSITIVE_INFINITY;
      return means[arm]! + alpha * Math.sqrt((2 * Math.log(Math.max(total, 1))) / n[arm]!);
    }
    return {
      probabilities: (_context, eligible) => shareAmongBest(pick(bounds, eligible)),
      scores: (_context, eligible) => pick(bounds, eligible),
      exposures: countedExposures((_context, arm) => {
        n[arm]! += 1;
        bounds[arm] = boundOf(arm);
      }),
    };
  },
};
