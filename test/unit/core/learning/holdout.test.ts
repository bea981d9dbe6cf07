/** The holdout learns beside the arms, never into them. */
import { expect, test } from 'vitest';
import { MergedSums } from '../../../../services/core/learning/merge.ts';
import { buildParameters } from '../../../../services/core/learning/snapshot.ts';
import { HOLDOUT } from '../../../../services/core/learning/sums.ts';
import { experiment, T0 } from '../../../support/core.ts';
import { dealt, type Learned, learned, won } from '../../../support/learned.ts';

function built(after: Learned) {
  const merged = new MergedSums();
  for (const { cohort, sums } of after.oracle.state.sums.entries()) merged.replace(0, cohort, sums);
  return buildParameters(experiment(), merged);
}

const BANDIT = [dealt({ id: 'd1', unit: 'u' }), won({ id: 'r1', unit: 'u', value: 1 })];
const HELD_OUT = [
  dealt({ id: 'd2', unit: 'v', reason: 'holdout' }),
  won({ id: 'r2', unit: 'v', value: 3 }),
  won({ id: 'r2', unit: 'v', value: 2, revision: 1, clockMs: T0 + 12 }),
  dealt({ id: 'd3', unit: 'w', reason: 'holdout', arms: ['A', 'B'] }),
];

test('what the holdout earns stands by itself, revisions and further slots included', () => {
  const after = learned([...BANDIT, ...HELD_OUT]);
  // Of the range 0 to 4; slots without a reward count as 0.
  expect(after.arm(HOLDOUT)).toMatchObject({ pulls: 3, n: 3, sumR: 0.5, sumRR: 0.25 });
  expect(built(after).holdout).toEqual({ pulls: 3, n: 3, sumR: 0.5, sumRR: 0.25 });
});

test('no arm, and so no policy, learns from the holdout', () => {
  const alone = built(learned(BANDIT));
  const beside = built(learned([...BANDIT, ...HELD_OUT]));
  expect(alone.holdout).toBeNull();
  expect(beside.arms).toEqual(alone.arms);
  expect(beside.policies).toEqual(alone.policies);
});

test('the books count the holdout as any decision', () => {
  expect(learned(HELD_OUT).counts).toMatchObject({
    decisionsIn: 2,
    decisionsJoined: 1,
    decisionsPending: 1,
    rewardsIn: 2,
    rewardsJoined: 1,
    rewardsDuplicate: 1,
  });
});
