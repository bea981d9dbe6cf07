import { describe, expect, it } from 'vitest';
import {
  decodeHeader,
  FORMAT,
  HEADER_KEY,
  type StoreHeader,
  SUMS_FROM,
} from '../../../services/contracts/store-format.ts';
import type { PerStream } from '../../../services/core/events.ts';
import { rebuiltFromMs } from '../../../services/core/join/group.ts';
import { type Counts, unaccounted } from '../../../services/core/learning/counts.ts';
import { reflectedBy } from '../../../services/core/learning/tally.ts';
import type { Restored } from '../../../services/learner/restore.ts';
import type { Log } from '../../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../../services/platform/log/read-to-end.ts';
import { MemoryStore } from '../../../services/platform/store/memory.ts';
import type { Store } from '../../../services/platform/store/port.ts';
import { T0 } from '../../support/core.ts';
import { CrashPoint, droppedBefore } from '../../support/faults.ts';
import { taken } from '../../support/stores.ts';
import { STEP_MS, sendTraffic, TRAFFIC_LIMITS, trafficWorld } from '../../support/traffic.ts';
import type { World } from '../../support/world.ts';

/** Small polls and commits as often as possible: many crash points in little input. Cohorts are rolled up as they end. */
const SETTINGS = { pollRecordsMax: 17, commitIntervalMs: 1, rollUpAgeMs: 0 };
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
      if (value === null) continue;
      const { offsets } = world.codecs.tally.decode(value);
      const before = last.get(key!) ?? { decisions: 0, rewards: 0 };
      expect(reflectedBy(before, offsets), `${key} from ${JSON.stringify(before)} to ${JSON.stringify(offsets)}`).toBe(
        true,
      );
      last.set(key!, offsets);
    }
  }
}

async function sumsPublished(world: World): Promise<number> {
  let count = 0;
  for await (const { records } of readToEnd(world.log, await startOf(world.log, world.topics.tallies))) {
    count += records.filter(({ value }) => value !== null && world.codecs.tally.decode(value).kind === 'sums').length;
  }
  return count;
}

interface RunOptions {
  readonly log?: Log;
  readonly stores: Map<number, Store>;
  readonly steps?: number;
  readonly pollRecordsMax?: number;
}

/** Runs a learner until it has learned everything, or its steps are used up. @returns whether it crashed, and where from it began. */
async function run(
  world: World,
  { stores, log = world.log, steps = Number.MAX_SAFE_INTEGER, ...settings }: RunOptions,
) {
  const crash = new CrashPoint(steps);
  const from: Restored['from'][] = [];
  const lost: string[] = [];
  const opened = Promise.withResolvers<void>();
  const learner = await world.learner({
    log: crash.log(log, [world.topics.tallies, world.topics.deadLetters]),
    openStore: async (partition) => {
      const store = stores.get(partition) ?? new MemoryStore();
      stores.set(partition, store);
      return crash.store(store);
    },
    settings: { ...SETTINGS, ...settings },
    observer: {
      tally: {
        opened: (_task, origin) => {
          from.push(origin);
          opened.resolve();
        },
        lost: (_partition, error) => void lost.push(error.code),
      },
    },
  });
  await Promise.race([Promise.all([opened.promise, world.learned(() => crash.isReached)]), crash.reached]);
  await learner.stop();
  return { crashed: crash.isReached, from, lost };
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
    const published = await sumsPublished(world);
    expect((await run(world, { stores: new Map() })).from).toEqual(['tallies']);
    await expectTheTruth(world);
    // What stands in the tallies already is not published again.
    expect(await sumsPublished(world)).toBe(published);
  });
});

describe('a local store', () => {
  /** A store that holds the first part of the traffic, and a world that holds all of it. */
  async function begun(): Promise<{ world: World; stores: Map<number, Store> }> {
    const world = await trafficWorld();
    const stores = new Map<number, Store>();
    await sendTraffic(world, 0, 40);
    await run(world, { stores });
    await sendTraffic(world, 40, STEPS);
    return { world, stores };
  }

  async function changeHeader(store: Store, change: Partial<StoreHeader>): Promise<void> {
    const header = { ...decodeHeader(store.getNamed(HEADER_KEY)!)!, ...change };
    store.putNamed(HEADER_KEY, Buffer.from(JSON.stringify(header)));
    await store.commit();
  }

  it.each<[string, Partial<StoreHeader>]>([
    ['of another format', { format: FORMAT + 1 }],
    ['of another partition', { partition: 3 }],
    ['made under other limits', { limits: { ...TRAFFIC_LIMITS, graceMs: 499 } }],
    ['ahead of the log, as after the log lost its end', { offsets: { decisions: 100_000, rewards: 1 } }],
  ])('%s is not used', async (_what, change) => {
    const { world, stores } = await begun();
    await changeHeader(stores.get(0)!, change);
    expect((await run(world, { stores })).from).toEqual(['tallies']);
    await expectTheTruth(world);
  });

  it('whose header is garbage is not used', async () => {
    const { world, stores } = await begun();
    stores.get(0)!.putNamed(HEADER_KEY, Buffer.from('garbage'));
    await stores.get(0)!.commit();
    expect((await run(world, { stores })).from).toEqual(['tallies']);
    await expectTheTruth(world);
  });

  it.each<[string, (store: Store) => void]>([
    [
      'tallies',
      (store) => {
        for (const name of store.names()) if (name.startsWith(SUMS_FROM)) store.putNamed(name, GARBAGE);
      },
    ],
    [
      'groups',
      (store) => {
        for (const unit of taken(store, Number.MAX_VALUE)) store.put(unit, GARBAGE, 1);
      },
    ],
  ])('whose %s are garbage is thrown away and rebuilt, and says so', async (_what, spoil) => {
    const { world, stores } = await begun();
    spoil(stores.get(0)!);
    await stores.get(0)!.commit();
    const after = await run(world, { stores });
    expect(after.lost).toEqual(['store-unreadable']);
    expect(after.from.at(-1)).toBe('tallies');
    await expectTheTruth(world);
  });

  it('that never finished being filled is not used', async () => {
    const { world } = await begun();
    const stores = new Map<number, Store>();
    for (let steps = 0; steps < 6; steps++) expect((await run(world, { stores, steps })).crashed).toBe(true);
    await run(world, { stores });
    await expectTheTruth(world);
  });
});

const GARBAGE = Buffer.alloc(40, 0xff);

describe('a log that lost what the learner has learned from, or not yet', () => {
  async function failure(world: World, log = world.log): Promise<unknown> {
    const failed = Promise.withResolvers<unknown>();
    const learner = await world.learner({ log, observer: { tally: { failed: failed.resolve } } });
    const error = await failed.promise;
    await learner.stop();
    return error;
  }

  const inputs = (world: World) => [world.topics.decisions, world.topics.rewards];

  it('stops the learner loudly when it ends before what the tallies reflect', async () => {
    const world = await trafficWorld();
    await sendTraffic(world, 0, STEPS);
    await run(world, { stores: new Map() });
    await world.log.admin.deleteTopics([world.topics.decisions]);
    await world.createTopics();
    expect(await failure(world)).toMatchObject({ name: 'Corrupt', code: 'log-too-short' });
  });

  it('stops the learner loudly when retention dropped what nobody has learned from', async () => {
    const world = await trafficWorld();
    await sendTraffic(world, 0, 40);
    await run(world, { stores: new Map() });
    await sendTraffic(world, 40, STEPS);
    const log = await droppedBefore(world.log, inputs(world), T0 + 60 * STEP_MS);
    expect(await failure(world, log)).toMatchObject({ name: 'Corrupt', code: 'log-dropped' });
  });

  it('is learned on from when retention dropped only what can be reached no more', async () => {
    const world = await trafficWorld();
    await sendTraffic(world, 0, 300);
    await run(world, { stores: new Map() });
    await sendTraffic(world, 300, 340);
    const reachMs = rebuiltFromMs(TRAFFIC_LIMITS);
    const log = await droppedBefore(world.log, inputs(world), T0 + 300 * STEP_MS - reachMs - 2 * STEP_MS);
    expect((await run(world, { stores: new Map(), log })).from).toEqual(['tallies']);
    await expectTheTruth(world);
  });
});
