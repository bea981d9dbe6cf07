/**
 * UCB1-Tuned (Auer, Cesa-Bianchi & Fischer 2002, section 4): mean + √(ln t/n · min(¼, V + √(2 ln t / n))), where V is the
 * variance of the arm's rewards, and t and n are as in UCB1. Untried arms come first and share evenly.
 */
import { pick, shareAmongBest } from './best.ts';
import { countedExposures, type Policy } from './policy.ts';
import { block } from './state.ts';
import { meanRewards, statistic } from './statistics.ts';

/** Of rewards in [0, 1]. */
const VARIANCE_MAX = 1 / 4;

export const ucb1Tuned: Policy = {
  kind: 'ucb1-tuned',
  doc: "UCB1 with each arm's bound as wide as its rewards vary. Deterministic between two snapshots.",
  contextual: false,
  parameters: [],

  prepare(input) {
    const n = statistic(input, 'n');
    const means = meanRewards(input);
    const variances = statistic(input, 'sumRR').map((sumRR, arm) =>
      n[arm]! > 0 ? Math.max(sumRR / n[arm]! - means[arm]! ** 2, 0) : 0,
    );
    return new Map([
      ['n', n],
      ['mean', means],
      ['variance', variances],
    ]);
  },

  serve(state) {
    const n = block(state, 'n').slice();
    const means = block(state, 'mean');
    const variances = block(state, 'variance');
    const total = n.reduce((sum, count) => sum + count, 0);
    const bounds = means.map((_, arm) => boundOf(arm));
    function boundOf(arm: number): number {
      if (n[arm] === 0) return Number.POSITIVE_INFINITY;
      const ratio = Math.log(Math.max(total, 1)) / n[arm]!;
      return means[arm]! + Math.sqrt(ratio * Math.min(VARIANCE_MAX, variances[arm]! + Math.sqrt(2 * ratio)));
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
