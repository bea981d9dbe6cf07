/** The local store on a real disk, damaged while the learner was away: only a cache, it costs time and nothing else. */
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../services/core/random.ts';
import { openSegmentStore } from '../../services/platform/store/segments/store.ts';
import { garbageIn } from '../support/faults.ts';
import { sendTraffic, trafficWorld } from '../support/traffic.ts';
import type { World } from '../support/world.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-learner-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Learns to the end. @returns whether a store was thrown away, at opening or later. */
async function learn(world: World): Promise<boolean> {
  let thrownAway = false;
  const opened = Promise.withResolvers<void>();
  const learner = await world.learner({
    openStore: (partition) =>
      openSegmentStore({
        folder: join(folder, String(partition)),
        cacheBytes: 0,
        // Many segments, so that some are sealed and checkpoints are made.
        segmentBytes: 16_384,
        onUnreadable: () => {
          thrownAway = true;
        },
      }),
    settings: { pollRecordsMax: 20, commitIntervalMs: 1 },
    observer: {
      tally: {
        opened: () => opened.resolve(),
        lost: (_partition, error) => {
          if (error.code !== 'store-unreadable') throw error;
          thrownAway = true;
        },
      },
    },
  });
  await opened.promise;
  await world.learned();
  await learner.stop();
  return thrownAway;
}

async function expectTheTruth(world: World): Promise<void> {
  const { snapshots, counts } = await world.replay();
  for (const [id, { digest }] of snapshots) expect((await world.snapshots(id)).at(-1)!.digest).toBe(digest);
  expect(await world.counts()).toEqual(counts);
}

/** Turns some bytes over in the middle of the files whose names fit. */
async function flip(path: string, name: RegExp, seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (const file of (await readdir(path)).filter((one) => name.test(one))) {
    const handle = await open(join(path, file), 'r+');
    const { size } = await handle.stat();
    const at = Math.floor(random.next() * size);
    const bytes = Buffer.alloc(Math.min(64, size - at));
    await handle.read(bytes, 0, bytes.length, at);
    await handle.write(
      bytes.map((byte) => byte ^ 0xff),
      0,
      bytes.length,
      at,
    );
    await handle.close();
  }
}

describe('a local store that is damaged', () => {
  it.each<[string, RegExp]>([
    ['the checkpoint', /^checkpoint$/],
    ['the segments', /\.segment$/],
    ['every file', /./],
  ])('in %s is rebuilt, and the digest is the same', async (_what, name) => {
    const world = await trafficWorld();
    await sendTraffic(world, 0, 400);
    expect(await learn(world)).toBe(false);
    expect(await garbageIn(join(folder, '0'), name)).toBeGreaterThan(0);
    await sendTraffic(world, 400, 500);
    expect(await learn(world)).toBe(true);
    await expectTheTruth(world);
  });

  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'here and there (seed %i) never gives another digest',
    async (seed) => {
      const world = await trafficWorld();
      await sendTraffic(world, 0, 300);
      await learn(world);
      await flip(join(folder, '0'), /./, seed);
      await sendTraffic(world, 300, 400);
      await learn(world);
      await expectTheTruth(world);
    },
  );
});
