/**
 * Arms in proportion to their mean reward, all alike while no arm has earned any. A negative mean is refused when the
 * snapshot is built. Not here: proportions that a person sets (fixed-split.ts).
 */
import { pick, shareByWeight } from './best.ts';
import type { Policy } from './policy.ts';
import { block } from './state.ts';
import { meanRewards } from './statistics.ts';

export const proportional: Policy = {
  kind: 'proportional',
  doc: 'Arms in proportion to their mean reward.',
  contextual: false,
  parameters: [],

  prepare: (input) => new Map([['mean', meanRewards(input)]]),

  serve(state) {
    const means = block(state, 'mean');
    return {
      probabilities: (_context, eligible) => shareByWeight(pick(means, eligible)),
      scores: (_context, eligible) => pick(means, eligible),
    };
  },
};
