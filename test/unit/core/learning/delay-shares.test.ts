import { describe, expect, it } from 'vitest';
import { delayShares, EVENTS_MIN } from '../../../../services/core/learning/delay-shares.ts';
import { seededRandom } from '../../../../services/core/random.ts';

/** An event that was seen because it came within the time that its group was followed. */
interface Seen {
  readonly delay: number;
  readonly followed: number;
}

/**
 * Kaplan–Meier by the textbook, one event after the other: time runs backwards from the longest delay, whoever was followed
 * for less enters late, and the estimate is the product over the times of events of 1 − events/at risk.
 */
function shareBy(seen: readonly Seen[], delay: number): number {
  const backwards = seen.map((one) => ({ entry: -(one.followed - 1), time: -one.delay }));
  const times = [...new Set(backwards.map(({ time }) => time))].filter((time) => time < -delay);
  return times.reduce((product, time) => {
    const risk = backwards.filter((one) => one.entry <= time && one.time >= time).length;
    return product * (1 - backwards.filter((one) => one.time === time).length / risk);
  }, 1);
}

const INTERVALS = 12;

function randomGroups(seed: number): { readonly followed: number; readonly delays: readonly number[] }[] {
  const random = seededRandom(seed);
  const whole = (most: number) => Math.floor(random.next() * (most + 1));
  return Array.from({ length: 1 + whole(6) }, () => ({
    followed: 1 + whole(INTERVALS - 1),
    delays: Array.from({ length: EVENTS_MIN + whole(20) }, () => Math.floor(random.next() ** 2 * 2 * INTERVALS)),
  }));
}

function counted({ followed, delays }: ReturnType<typeof randomGroups>[number]) {
  const events = Array.from({ length: 2 * INTERVALS }, (_, at) => delays.filter((delay) => delay === at).length);
  return { events, intervals: followed };
}

describe('the shares of events by delay', () => {
  it('are those of the events one by one, with what is still to come left out', () => {
    for (let seed = 0; seed < 300; seed++) {
      const groups = randomGroups(seed);
      const shares = delayShares(groups.map(counted));
      const seen = groups.flatMap(({ followed, delays }) =>
        // Nobody else was followed for so long that there were enough.
        delays.map((delay) => ({ delay, followed: Math.min(followed, shares.length) })),
      );
      const known = seen.filter(({ delay, followed }) => delay < followed);
      for (const [delay, found] of shares.entries()) expect(found).toBeCloseTo(shareBy(known, delay), 12);
    }
  });

  it('are plain shares where all were followed to the end', () => {
    expect(delayShares([{ events: [5, 0, 10, 5], intervals: 4 }])).toEqual([0.25, 0.25, 0.75, 1]);
  });

  it('do not depend on how many of a group have an event at all', () => {
    const old = { events: [100, 100, 200], intervals: 3 };
    const young = (times: number) => ({ events: [50 * times, 50 * times, 0], intervals: 2 });
    for (const times of [1, 100]) {
      expect(delayShares([old, young(times)])).toEqual([0.25, 0.5, 1].map((share) => expect.closeTo(share, 12)));
    }
  });

  it('go as far as there are enough events, and no events are no shares', () => {
    const most = { events: [6, 3, 0, 0], intervals: 3 };
    expect(delayShares([most])).toEqual([]);
    expect(delayShares([most, { events: [4, 9, 9, 9], intervals: 1 }])).toEqual([1]);
    expect(delayShares([])).toEqual([]);
  });
});
