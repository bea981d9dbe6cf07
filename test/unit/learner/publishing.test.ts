import { describe, expect, it } from 'vitest';
import type { ExperimentId } from '../../../services/core/events.ts';
import type { Log } from '../../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../../services/platform/log/read-to-end.ts';
import { oneByOne } from '../../support/faults.ts';
import { sendTraffic, trafficWorld } from '../../support/traffic.ts';
import type { World } from '../../support/world.ts';

const IDS = ['coupon', 'banner', 'layout'] as ExperimentId[];

/** Learns what is sent in each stretch before the next one. */
async function learn(
  world: World,
  stretches: readonly (readonly [from: number, to: number])[],
  { log = world.log, rollUpAgeMs = 10_000_000 }: { readonly log?: Log; readonly rollUpAgeMs?: number },
): Promise<void> {
  const learner = await world.learner({
    log,
    settings: { pollRecordsMax: 40, commitIntervalMs: 1, publishIntervalMs: 1, rollUpAgeMs },
  });
  for (const [from, to] of stretches) {
    await sendTraffic(world, from, to);
    await world.learned();
  }
  await learner.stop();
}

/** @returns the keys of the tallies that compaction would leave. */
async function tallyKeys(world: World): Promise<string[]> {
  const newest = new Map<string, boolean>();
  for await (const { records } of readToEnd(world.log, await startOf(world.log, world.topics.tallies))) {
    for (const { key, value } of records) newest.set(key!, value !== null);
  }
  return [...newest].filter(([, isThere]) => isThere).map(([key]) => key);
}

describe('a snapshot', () => {
  it('equals a replay up to what it reflects, however slowly the tallies of a commit come one by one', async () => {
    const world = await trafficWorld();
    await learn(
      world,
      [
        [0, 120],
        [120, 160],
        [160, 200],
      ],
      { log: oneByOne(world.log, world.topics.tallies) },
    );
    let proven = 0;
    for (const id of IDS) {
      for (const snapshot of await world.snapshots(id)) {
        const { snapshots } = await world.replay(new Map([[id, snapshot]]));
        expect(snapshots.get(id)!.digest, `${id} version ${snapshot.version}`).toBe(snapshot.digest);
        proven += 1;
      }
    }
    expect(proven).toBeGreaterThan(15);
  }, 60_000);
});

describe('closed cohorts', () => {
  it('are rolled up, so that a run of any length keeps few tallies, and no snapshot is any different', async () => {
    const kept: Record<string, number> = {};
    const ends: unknown[] = [];
    for (const [name, rollUpAgeMs] of [
      ['apart', 10_000_000],
      ['rolled up', 3_500],
    ] as const) {
      const world = await trafficWorld();
      await learn(
        world,
        [
          [0, 400],
          [400, 800],
        ],
        { rollUpAgeMs },
      );
      kept[name] = (await tallyKeys(world)).length;
      const { snapshots } = await world.replay();
      const published = await Promise.all(IDS.map(async (id) => (await world.snapshots(id)).at(-1)!));
      for (const snapshot of published) expect(snapshot.digest).toBe(snapshots.get(snapshot.experimentId)!.digest);
      ends.push(published.map(({ digest, clockMs, arms }) => ({ digest, clockMs, arms })));
    }
    expect(ends[1]).toEqual(ends[0]);
    // 800 steps of 37 ms are 30 cohorts; 5 to 6 of them are younger than what is rolled up.
    expect(kept.apart).toBeGreaterThan(3 * 28);
    expect(kept['rolled up']).toBeLessThan(3 * 7 + 2);
  }, 60_000);
});
