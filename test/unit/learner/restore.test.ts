import { describe, expect, it } from 'vitest';
import type { Fenced } from '../../../services/core/errors.ts';
import type { PerStream } from '../../../services/core/events.ts';
import { type Counts, unaccounted } from '../../../services/core/learning/counts.ts';
import { reflectedBy } from '../../../services/core/learning/tally.ts';
import type { Restored } from '../../../services/learner/restore.ts';
import { readToEnd, startOf } from '../../../services/platform/log/read-to-end.ts';
import { MemoryStore } from '../../../services/platform/store/memory.ts';
import type { Store } from '../../../services/platform/store/port.ts';
import { CrashPoint } from '../../support/faults.ts';
import { sendTraffic, trafficWorld } from '../../support/traffic.ts';
import type { World } from '../../support/world.ts';

/** Small polls and commits as often as possible: many crash points in little input. */
const SETTINGS = { pollRecordsMax: 17, commitIntervalMs: 1 };
const STEPS = 96;

interface End {
  readonly digests: Record<string, string>;
  readonly counts: Counts;
}

async function liveEnd(world: World): Promise<End> {
  const digests: Record<string, string> = {};
  for (const id of (await world.replay()).snapshots.keys()) digests[id] = (await world.snapshots(id)).at(-1)!.digest;
  return { digests, counts: await world.counts() };
}

async function replayedEnd(world: World): Promise<End> {
  const { snapshots, counts } = await world.replay();
  return { digests: Object.fromEntries([...snapshots].map(([id, { digest }]) => [id, digest])), counts };
}

async function expectTheTruth(world: World): Promise<void> {
  const live = await liveEnd(world);
  expect(live).toEqual(await replayedEnd(world));
  expect([unaccounted(live.counts, 'decisions'), unaccounted(live.counts, 'rewards')]).toEqual([0, 0]);
  await expectNoStepBack(world);
}

/** Of one key, no tally may follow one that reflects more: compaction would keep the older. */
async function expectNoStepBack(world: World): Promise<void> {
  const last = new Map<string, PerStream>();
  for await (const { records } of readToEnd(world.log, await startOf(world.log, world.topics.tallies))) {
    for (const { key, value } of records) {
      const { offsets } = world.codecs.tally.decode(value!);
      const before = last.get(key!) ?? { decisions: 0, rewards: 0 };
      expect(reflectedBy(before, offsets), `${key} from ${JSON.stringify(before)} to ${JSON.stringify(offsets)}`).toBe(
        true,
      );
      last.set(key!, offsets);
    }
  }
}

interface RunOptions {
  readonly stores: Map<number, Store>;
  readonly steps?: number;
  readonly pollRecordsMax?: number;
}

/** Runs a learner until it has learned everything, or its steps are used up. @returns whether it crashed, and where from it began. */
async function run(world: World, { stores, steps = Number.MAX_SAFE_INTEGER, ...settings }: RunOptions) {
  const crash = new CrashPoint(steps);
  const from: Restored['from'][] = [];
  const opened = Promise.withResolvers<void>();
  const learner = await world.learner({
    log: crash.log(world.log, [world.topics.tallies, world.topics.deadLetters]),
    openStore: async (partition) => {
      const store = stores.get(partition) ?? new MemoryStore();
      stores.set(partition, store);
      return crash.store(store);
    },
    settings: { ...SETTINGS, ...settings },
    observer: {
      tally: {
        folded() {},
        refused() {},
        committed() {},
        opened: (_task, origin) => {
          from.push(origin);
          opened.resolve();
        },
        lost: (_partition, error) => {
          throw error;
        },
        fenced: (_partition: number, _error: Fenced) => {},
        failed: (error) => {
          throw error;
        },
      },
    },
  });
  await Promise.race([Promise.all([opened.promise, world.learned(() => crash.isReached)]), crash.reached]);
  await learner.stop();
  return { crashed: crash.isReached, from };
}

describe('a learner that crashes', () => {
  it.each([
    ['its own store', true],
    ['an empty disk', false],
  ])(
    'at any step of a commit or a publication ends where it would have, begun again on %s',
    async (_disk, keeps) => {
      let crashes = 0;
      for (let steps = 0; ; steps++) {
        const world = await trafficWorld();
        await sendTraffic(world, 0, STEPS);
        const stores = new Map<number, Store>();
        const { crashed } = await run(world, { stores, steps });
        await run(world, { stores: keeps ? stores : new Map() });
        await expectTheTruth(world);
        if (!crashed) break;
        crashes += 1;
      }
      expect(crashes).toBeGreaterThan(10);
    },
    60_000,
  );

  it('again and again, now on its store and now on an empty disk, ends where it would have', async () => {
    for (let seed = 0; seed < 12; seed++) {
      const world = await trafficWorld();
      let stores = new Map<number, Store>();
      for (let life = 0; life < 6; life++) {
        await sendTraffic(world, life * 20, life * 20 + 20);
        if ((seed >> (life % 4)) % 2 === 1) stores = new Map();
        await run(world, { stores, steps: (seed * 5 + life * 3) % 11, pollRecordsMax: 7 + ((seed + life) % 5) });
      }
      await run(world, { stores });
      await expectTheTruth(world);
    }
  }, 60_000);
});

describe('a partition that is taken over', () => {
  it('and comes back to an old store is learned on from there, and nothing older is published over newer', async () => {
    const world = await trafficWorld();
    const old = new Map<number, Store>();
    await sendTraffic(world, 0, 40);
    await run(world, { stores: old });
    await sendTraffic(world, 40, STEPS);
    await run(world, { stores: new Map() });
    await sendTraffic(world, STEPS, STEPS + 8);
    // Unequal steps, so that the cuts of the second time are not those of the first.
    expect((await run(world, { stores: old, pollRecordsMax: 5 })).from).toEqual(['store']);
    await expectTheTruth(world);
  });

  it('and comes back to an old store after the other owner crashed half-way is learned all the same', async () => {
    for (let steps = 1; steps < 24; steps += 2) {
      const world = await trafficWorld();
      const old = new Map<number, Store>();
      await sendTraffic(world, 0, 40);
      await run(world, { stores: old, steps: 9 });
      await sendTraffic(world, 40, STEPS);
      await run(world, { stores: new Map(), steps });
      await run(world, { stores: old, pollRecordsMax: 5 });
      await expectTheTruth(world);
      await run(world, { stores: new Map() });
      await expectTheTruth(world);
    }
  }, 60_000);

  it('on an empty disk begins from the tallies, or from the log when there is none', async () => {
    const world = await trafficWorld();
    await sendTraffic(world, 0, 40);
    expect((await run(world, { stores: new Map() })).from).toEqual(['log']);
    expect((await run(world, { stores: new Map() })).from).toEqual(['tallies']);
    await expectTheTruth(world);
  });
});
