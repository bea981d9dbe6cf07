import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  COUNT_NAMES,
  type Counts,
  restated,
  unaccounted,
  zeroCounts,
} from '../../../../services/core/learning/counts.ts';

const few = fc.nat(20);
const books = fc
  .record(Object.fromEntries(COUNT_NAMES.map((name) => [name, few])))
  .map((some): Counts => ({ ...zeroCounts(), ...some }));

function plus(a: Counts, b: Counts): Counts {
  return Object.fromEntries(COUNT_NAMES.map((name) => [name, a[name] + b[name]])) as Counts;
}

it('books that are restated say of what is open what the new definitions say, and of what is settled what they said', () => {
  const settled = { ...zeroCounts(), decisionsJoined: 5, decisionsExpired: 2, rewardsJoined: 3, rewardsDuplicate: 4 };
  const before = plus(settled, {
    ...zeroCounts(),
    decisionsJoined: 2,
    decisionsPending: 1,
    rewardsJoined: 2,
    clipped: 1,
  });
  const open = { ...zeroCounts(), decisionsPending: 3, rewardsJoined: 1, rewardsPending: 1, clipped: 1 };
  expect(restated(before, open)).toEqual(plus(settled, open));
});

it('no column of restated books is less than what is open in it, and nothing is lost', () => {
  fc.assert(
    fc.property(books, books, few, few, few, (past, first, decisions, rewards, repeats) => {
      // What is pending is always open; the open ones are as many by either definition.
      const settled = { ...past, decisionsPending: 0, rewardsPending: 0 };
      const open = (joined: number, joinedRewards: number, unmatched: number): Counts => ({
        ...zeroCounts(),
        decisionsJoined: joined,
        decisionsPending: decisions - joined,
        rewardsJoined: joinedRewards,
        rewardsPending: rewards - joinedRewards,
        rewardsUnmatched: unmatched,
        rewardsDuplicate: repeats - unmatched,
        clipped: joined,
      });
      const { decisionsJoined: a, rewardsJoined: b, rewardsUnmatched: c } = first;
      const was = open(Math.min(a, decisions), Math.min(b, rewards), Math.min(c, repeats));
      const is = open(
        decisions - Math.min(b, decisions),
        rewards - Math.min(c, rewards),
        repeats - Math.min(a, repeats),
      );
      const before = plus(settled, was);
      const after = restated(before, is);
      for (const name of COUNT_NAMES) expect(after[name]).toBeGreaterThanOrEqual(is[name]);
      for (const stream of ['decisions', 'rewards'] as const)
        expect(unaccounted(after, stream)).toBe(unaccounted(before, stream));
      expect(after).toMatchObject({ decisionsPending: is.decisionsPending, rewardsPending: is.rewardsPending });
    }),
  );
});
