import { describe, expect, it } from 'vitest';
import type { ExperimentId, InputEvent, UnitId } from '../../../../services/core/events.ts';
import { decisionMemoryMs, rewardMemoryMs } from '../../../../services/core/join/group.ts';
import { unaccounted } from '../../../../services/core/learning/counts.ts';
import { LIMITS, T0 } from '../../../support/core.ts';
import { dealt, learned, won } from '../../../support/learned.ts';

const { windowMs, graceMs, earlyGraceMs } = LIMITS;
const REACH_MS = windowMs + graceMs;

function accounted(events: readonly InputEvent[], drop = false) {
  const after = learned(events);
  if (drop) after.oracle.drop();
  expect([unaccounted(after.counts, 'decisions'), unaccounted(after.counts, 'rewards')]).toEqual([0, 0]);
  return after;
}

describe('the group is a set', () => {
  it('a reward that arrives twice is learned once', () => {
    const after = accounted([dealt(), won(), won()]);
    expect(after.arm('A')).toMatchObject({ n: 1, sumR: 0.25 });
    expect(after.counts).toMatchObject({ rewardsIn: 2, rewardsJoined: 1, rewardsDuplicate: 1 });
  });

  it('a decision that arrives twice is learned once', () => {
    const after = accounted([dealt(), dealt(), won()]);
    expect(after.arm('A')).toMatchObject({ pulls: 1, n: 1, sumR: 0.25 });
    expect(after.counts).toMatchObject({ decisionsIn: 2, decisionsJoined: 1, decisionsDuplicate: 1 });
  });

  it.each([
    [REACH_MS, 1],
    [REACH_MS + 1, 0],
  ])('a decision repeated %i ms later counts as a repeat %i times', (laterMs, duplicates) => {
    expect(accounted([dealt(), dealt({ clockMs: T0 + laterMs })]).counts.decisionsDuplicate).toBe(duplicates);
  });

  it('a decision that comes time and again stays one, however long that goes on', () => {
    const times = [0, 1, 2, 3].map((nth) => dealt({ clockMs: T0 + nth * REACH_MS }));
    const idle = (clockMs: number) => won({ id: 'idle', unit: 'other', metric: 'none', clockMs });
    for (const drops of [true, false]) {
      const after = accounted([]);
      for (const event of times) {
        after.oracle.learn(event);
        after.oracle.learn(idle(event.clockMs));
        if (drops) after.oracle.drop();
      }
      expect(after.counts).toMatchObject({ decisionsIn: 4, decisionsDuplicate: 3 });
      after.oracle.learn(dealt({ clockMs: T0 + 4 * REACH_MS + 1 }));
      expect(after.counts).toMatchObject({ decisionsIn: 5, decisionsDuplicate: 3 });
    }
  });

  it('a reward before its decision waits for it', () => {
    expect(accounted([won()]).counts).toMatchObject({ rewardsJoined: 0, rewardsPending: 1 });
    const after = accounted([won(), dealt()]);
    expect(after.arm('A')).toMatchObject({ n: 1, sumR: 0.25 });
    expect(after.counts).toMatchObject({ rewardsJoined: 1, rewardsPending: 0, decisionsJoined: 1 });
  });
});

describe('a revision', () => {
  it('takes the place of a lower one', () => {
    const after = accounted([dealt(), won({ value: 1 }), won({ value: 3, revision: 1 })]);
    expect(after.arm('A')).toMatchObject({ n: 1, sumR: 0.75 });
    expect(after.counts).toMatchObject({ rewardsIn: 2, rewardsJoined: 1, rewardsDuplicate: 1 });
  });

  it('that is lower and arrives later changes nothing', () => {
    const after = accounted([dealt(), won({ value: 3, revision: 1 }), won({ value: 1 })]);
    expect(after.arm('A').sumR).toBe(0.75);
    expect(after.counts).toMatchObject({ rewardsIn: 2, rewardsJoined: 1, rewardsDuplicate: 1 });
  });

  it('without a value retracts the reward, and what it retracted leaves no trace in the sums', () => {
    const after = accounted([dealt(), won({ value: 3 }), won({ value: null, revision: 1 })]);
    expect(after.arm('A')).toEqual(learned([dealt()]).arm('A'));
    expect(after.counts).toMatchObject({ rewardsJoined: 1, decisionsJoined: 1 });
  });

  it('changes the value only: whose the reward is stays as the first record said', () => {
    const events = [
      dealt({ id: 'd1', arm: 'A' }),
      dealt({ id: 'd2', arm: 'B', atMs: T0 + 50, clockMs: T0 + 50 }),
      won({ atMs: T0 + 10, clockMs: T0 + 60 }),
      won({ atMs: T0 + 70, clockMs: T0 + 70, revision: 1, value: 4 }),
    ];
    expect(accounted(events).both()).toMatchObject({ A: 1, B: 0 });
  });

  it('counts up to the reach of its decision, and is unmatched 1 ms later', () => {
    const revised = (laterMs: number) =>
      accounted([dealt(), won(), won({ value: 4, revision: 1, clockMs: T0 + laterMs })]);
    expect(revised(REACH_MS).arm('A').sumR).toBe(1);
    expect(revised(REACH_MS + 1).arm('A').sumR).toBe(0.25);
    expect(revised(REACH_MS + 1).counts).toMatchObject({ rewardsJoined: 1, rewardsUnmatched: 1, rewardsDuplicate: 0 });
  });

  it('whose decision is gone is unmatched and never given to another, whether or not anything was dropped', () => {
    const late = T0 + decisionMemoryMs(LIMITS) + 5;
    const events = [
      dealt({ id: 'd1', arm: 'A' }),
      won({ atMs: T0 + 60, clockMs: T0 + 60 }),
      // Decided before the reward occurred, appended long after: it would fit the revision.
      dealt({ id: 'd2', arm: 'B', atMs: T0 + 50, clockMs: late }),
      won({ id: 'other', unit: 'other', metric: 'none', clockMs: late }),
    ];
    const revision = won({ atMs: T0 + 60, clockMs: late, revision: 1, value: 4 });
    for (const drops of [true, false]) {
      const after = learned(events);
      if (drops) after.oracle.drop();
      expect(after.oracle.groups.get('u' as UnitId)!.decisions).toHaveLength(drops ? 1 : 2);
      after.oracle.learn(revision);
      expect(after.both()).toMatchObject({ A: 0.25, B: 0 });
      expect(after.counts).toMatchObject({ rewardsJoined: 1, rewardsUnmatched: 1 });
    }
  });
});

describe('a record of a reward that comes when nothing of it can change any more', () => {
  const memoryMs = rewardMemoryMs(LIMITS);
  const later = (laterMs: number, revision = 0) => won({ clockMs: T0 + laterMs, revision, value: 4 });

  it.each([
    ['with a decision', [dealt(), won({ clockMs: T0 })], { rewardsJoined: 1, rewardsPending: 0 }],
    ['of nobody', [won({ clockMs: T0 })], { rewardsJoined: 0, rewardsPending: 1 }],
  ])('is unmatched, whatever became of the reward: %s', (_case, events, counts) => {
    const after = accounted([...events, later(memoryMs, 1), later(memoryMs + 1, 1), later(2 * memoryMs + 1, 2)]);
    expect(after.counts).toMatchObject({ ...counts, rewardsIn: 4, rewardsUnmatched: counts.rewardsJoined + 2 });
    expect(after.counts.rewardsDuplicate).toBe(1 - counts.rewardsJoined);
  });

  it('begins it anew once none came for as long', () => {
    const events = [won({ clockMs: T0 }), later(memoryMs, 1), later(2 * memoryMs, 2), later(3 * memoryMs + 1, 3)];
    const taken = dealt({ atMs: T0, clockMs: T0 + 3 * memoryMs + 1 });
    const after = accounted([...events, taken]);
    expect(after.counts).toMatchObject({
      rewardsJoined: 1,
      rewardsPending: 1,
      rewardsDuplicate: 1,
      rewardsUnmatched: 1,
    });
    expect(after.arm('A').sumR).toBe(1);
  });
});

describe('a decision that is appended late', () => {
  it('takes a reward from the one before it, whether or not that one could have been dropped by then', () => {
    const end = T0 + REACH_MS;
    const events = [
      dealt({ id: 'd1', arm: 'A' }),
      // At the very end of what reaches d1, so that early grace lasts beyond d1's reach.
      won({ atMs: T0 + 80, clockMs: end }),
      dealt({ id: 'other', unit: 'other', clockMs: end + 5 }),
      won({ id: 'other', unit: 'other', metric: 'none', clockMs: end + 5 }),
    ];
    const late = dealt({ id: 'd2', arm: 'B', atMs: T0 + 40, clockMs: end + 10 });
    for (const drops of [true, false]) {
      const after = learned(events);
      if (drops) after.oracle.drop();
      after.oracle.learn(late);
      expect(after.both()).toMatchObject({ A: 0, B: 0.25 });
    }
  });
});

describe('what has run out', () => {
  const idle = (clockMs: number): InputEvent[] => [
    dealt({ id: 'later', unit: 'other', clockMs }),
    won({ id: 'later', unit: 'other', metric: 'none', clockMs }),
  ];

  it('a decision without a reward expires 1 ms after its memory, by the clock of the slower stream', () => {
    const memoryMs = decisionMemoryMs(LIMITS);
    const countsAt = (clockMs: number) => accounted([dealt(), ...idle(clockMs)], true).counts;
    expect(countsAt(T0 + memoryMs)).toMatchObject({ decisionsPending: 2, decisionsExpired: 0 });
    expect(countsAt(T0 + memoryMs + 1)).toMatchObject({ decisionsPending: 1, decisionsExpired: 1 });
    const onlyDecisions = accounted([dealt(), dealt({ id: 'later', clockMs: T0 + 10 * REACH_MS })], true);
    expect(onlyDecisions.counts.decisionsExpired).toBe(0);
  });

  it('a reward of nobody turns from pending to unmatched', () => {
    const memoryMs = rewardMemoryMs(LIMITS);
    const countsAt = (clockMs: number) => accounted([won({ clockMs: T0 }), ...idle(clockMs)], true).counts;
    expect(countsAt(T0 + memoryMs)).toMatchObject({ rewardsPending: 2, rewardsUnmatched: 0 });
    expect(countsAt(T0 + memoryMs + 1)).toMatchObject({ rewardsPending: 1, rewardsUnmatched: 1 });
  });

  it('leaves the group empty and the sums as they are', () => {
    const after = accounted([dealt(), won(), ...idle(T0 + 10 * REACH_MS)]);
    const sums = after.oracle.sums();
    after.oracle.drop();
    expect(after.oracle.sums()).toEqual(sums);
    expect(
      [...after.oracle.groups.values()].map(({ decisions, rewards }) => decisions.length + rewards.length),
    ).toEqual([0, 2]);
  });

  it('a decision is remembered until its rewards are final, a reward longer than any decision that may own it', () => {
    expect(decisionMemoryMs(LIMITS)).toBe(REACH_MS + earlyGraceMs);
    expect(rewardMemoryMs(LIMITS)).toBe(REACH_MS + 2 * earlyGraceMs);
  });
});

describe('a shadow decision', () => {
  it('owns no reward, even as the last touch, and leaves no trace in the sums', () => {
    const events = [dealt({ id: 'd1', arm: 'A' }), won({ atMs: T0 + 10 })];
    const shadow = dealt({ id: 'd2', arm: 'B', atMs: T0 + 5, reason: 'shadow' });
    const after = accounted([shadow, ...events]);
    expect(after.oracle.sums()).toEqual(learned(events).oracle.sums());
    expect(after.counts).toMatchObject({ decisionsIn: 2, decisionsJoined: 1, decisionsExpired: 1 });
  });

  it('must be valid all the same', () => {
    const shadow = dealt({ experimentId: 'nowhere' as ExperimentId, reason: 'shadow' });
    expect(() => learned([shadow])).toThrow(expect.objectContaining({ code: 'unknown-experiment' }));
  });
});
