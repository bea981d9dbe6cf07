import { describe, expect, it } from 'vitest';
import type { InputEvent, UnitId } from '../../../../services/core/events.ts';
import { ATTRIBUTION_MODELS } from '../../../../services/core/experiment.ts';
import { decisionMemoryMs, type Group, groupDueMs, isEmpty } from '../../../../services/core/join/group.ts';
import { unaccounted } from '../../../../services/core/learning/counts.ts';
import { expire, handleDecision, handleReward, type Rules } from '../../../../services/core/learning/partition.ts';
import { experiment, LIMITS, Oracle, rules, T0 } from '../../../support/core.ts';
import { dealt, learned, won } from '../../../support/learned.ts';

const SPAN_MS = 1_000;
const given: Rules = { ...rules(), limits: { ...LIMITS, unitEventsMax: 2, unitSpanMs: SPAN_MS } };

/** A few decisions, one a millisecond from a time on. */
function decisions(count: number, fromMs: number, unit = 'u'): InputEvent[] {
  return Array.from({ length: count }, (_, at) => dealt({ id: `${unit}/${fromMs}/${at}`, unit, clockMs: fromMs + at }));
}

describe('a crowded unit', () => {
  it('is learned from up to its share of a span, and what comes beyond is counted', () => {
    const after = learned([...decisions(5, T0), won()], given);
    expect(after.arm('A')).toMatchObject({ pulls: 2, sumR: 0.25 });
    expect(after.counts).toMatchObject({ decisionsIn: 5, decisionsCrowded: 3, rewardsIn: 1, rewardsJoined: 1 });
    expect(unaccounted(after.counts, 'decisions')).toBe(0);
  });

  it('has a share of rewards too, revisions and repeats among them', () => {
    const after = learned([dealt(), won(), won(), won({ revision: 1, value: 4 })], given);
    expect(after.arm('A').sumR).toBe(0.25);
    expect(after.counts).toMatchObject({ rewardsIn: 3, rewardsJoined: 1, rewardsDuplicate: 1, rewardsCrowded: 1 });
    expect(unaccounted(after.counts, 'rewards')).toBe(0);
  });

  it('begins anew with each span of the log, 1 ms after the last', () => {
    const from = T0 + SPAN_MS - 3;
    expect(learned(decisions(4, from), given).counts.decisionsCrowded).toBe(1);
    expect(learned(decisions(6, from), given).counts.decisionsCrowded).toBe(2);
  });

  it('takes nothing from others', () => {
    const after = learned([...decisions(5, T0), ...decisions(2, T0, 'v'), won({ unit: 'v' })], given);
    expect(after.counts).toMatchObject({ decisionsIn: 7, decisionsCrowded: 3, rewardsJoined: 1 });
  });

  it('stays crowded to the end of the span when all that was learned from it has run out', () => {
    const { oracle } = learned(decisions(2, T0), given);
    const group = oracle.groups.get('u' as UnitId)!;
    const goneMs = T0 + decisionMemoryMs(given.limits) + 2;
    const { group: left } = expire(group, goneMs, given);
    expect(left.decisions).toEqual([]);
    expect(isEmpty(left)).toBe(false);
    const endMs = T0 + SPAN_MS - 1;
    expect(groupDueMs(left, given.limits)).toBe(endMs);
    expect(isEmpty(expire(left, endMs, given).group)).toBe(false);
    expect(isEmpty(expire(left, endMs + 1, given).group)).toBe(true);
  });

  it('costs nothing beyond its share: its group is left as it is', () => {
    const { oracle } = learned([...decisions(2, T0), won(), won({ id: 'r2' })], given);
    const group = oracle.groups.get('u' as UnitId)!;
    for (const event of [dealt({ id: 'late' }), won({ id: 'late' })]) {
      expect(handled(group, event, given)).toBe(group);
    }
  });
});

function handled(group: Group, event: InputEvent, world: Rules): Group {
  return event.stream === 'decisions'
    ? handleDecision(group, event.decision, event.clockMs, world).group
    : handleReward(group, event.reward, event.clockMs, world).group;
}

describe('a unit of 100,000 decisions and as many rewards', { timeout: 120_000 }, () => {
  const COUNT = 100_000;
  const SPANS = 50;
  const limits = { windowMs: 30_000, graceMs: 1_000, earlyGraceMs: 1_000, unitEventsMax: 20, unitSpanMs: SPAN_MS };

  /** @returns CPU time of a record, and the largest group that there ever was. */
  function learn(world: Rules, count: number, units: number): { cpuUs: number; entriesMax: number } {
    const oracle = new Oracle(world);
    let entriesMax = 0;
    const before = process.cpuUsage();
    for (let at = 0; at < count; at++) {
      const clockMs = T0 + Math.floor((at * SPANS * SPAN_MS) / count);
      const unit = `u${at % units}`;
      oracle.learn(dealt({ id: `d${at}`, unit, atMs: clockMs, clockMs }));
      oracle.learn(won({ id: `r${at}`, unit, atMs: clockMs, clockMs }));
      if (at % 5_000 > 0) continue;
      oracle.drop();
      for (const { decisions: ds, rewards } of oracle.groups.values()) {
        entriesMax = Math.max(entriesMax, ds.length, rewards.length);
      }
    }
    const { user, system } = process.cpuUsage(before);
    return { cpuUs: (user + system) / (2 * count), entriesMax };
  }

  it.each([...ATTRIBUTION_MODELS])('costs less than 5 times what as many do of units with 5 each, by %s', (model) => {
    const world = { ...rules(experiment({ attribution: { model, windowMs: 30_000 } })), limits };
    const hot = learn(world, COUNT, 1);
    const cold = learn(world, COUNT / 5, COUNT / 25);
    // So many spans lie within the memory of a reward, and the one that is under way.
    expect(hot.entriesMax).toBeLessThanOrEqual(limits.unitEventsMax * (33 + 2));
    expect(hot.cpuUs).toBeLessThan(5 * cold.cpuUs);
  });
});

describe('what is beyond its share', () => {
  it('is decided by the stream of the record alone, whatever was read of the other', () => {
    const ds = decisions(3, T0);
    const rs = Array.from({ length: 3 }, (_, at) => won({ id: `r${at}`, clockMs: T0 + 5 + at }));
    const orders = [
      [...ds, ...rs],
      [...rs, ...ds],
      [rs[0]!, ds[0]!, ds[1]!, rs[1]!, rs[2]!, ds[2]!],
    ];
    const [first, ...others] = orders.map((order) => {
      const { oracle, counts } = learned(order, given);
      return { sums: oracle.sums(), counts };
    });
    for (const other of others) expect(other).toEqual(first);
    expect(first!.counts).toMatchObject({ decisionsCrowded: 1, rewardsCrowded: 1 });
  });
});
