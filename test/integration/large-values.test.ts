/**
 * Tallies and snapshots of several megabytes, through the whole of it: written in parts, compacted at any moment, writers
 * that die between two parts, and readers that must have a whole value of one version or keep the one before.
 */
import { expect, it } from 'vitest';
import type { ParametersSnapshot } from '../../services/core/deciding/snapshot.ts';
import { rethrow } from '../../services/core/errors.ts';
import type { ArmId, ExperimentId } from '../../services/core/events.ts';
import { contextDimension, type Experiment, type Feature } from '../../services/core/experiment.ts';
import type { EmbeddedLog } from '../../services/platform/embedded/log.ts';
import { readToEnd, startOf } from '../../services/platform/log/read-to-end.ts';
import { SnapshotsView } from '../../services/platform/snapshots-view.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import type { Store } from '../../services/platform/store/port.ts';
import { decision, experiment, reward } from '../support/core.ts';
import { CrashPoint } from '../support/faults.ts';
import { World } from '../support/world.ts';

const ARMS = 80;
const ID = 'coupon' as ExperimentId;
const SETTINGS = { commitIntervalMs: 1, publishIntervalMs: 1, pollRecordsMax: 100 };

function large(): Experiment {
  const context: Feature[] = Array.from({ length: 99 }, (_, index) => ({
    kind: 'number',
    name: `x${index}`,
    mean: 0,
    scale: 1,
  }));
  return experiment({
    context,
    arms: Array.from({ length: ARMS }, (_, index) => ({
      id: `arm-${index}` as ArmId,
      state: 'active',
      sinceVersion: 1,
      attributes: new Map(),
    })),
    fallbackArmId: 'arm-0' as ArmId,
    policies: [
      {
        kind: 'linucb',
        parameters: new Map([
          ['alpha', 1],
          ['lambda', 1],
        ]),
      },
    ],
    cohortMs: 86_400_000,
  });
}

async function deal(world: World, round: number): Promise<void> {
  for (let arm = 0; arm < ARMS; arm++) {
    const unit = `user-${arm % 7}`;
    const id = `d${round}-${arm}`;
    const features = Array.from({ length: 100 }, (_, at) =>
      at === 0 ? 1 : ((arm * 31 + at * 17 + round) % 21) / 10 - 1,
    );
    await world.send(
      { decision: decision({ id, unit, arm: `arm-${arm}`, features }) },
      { reward: reward({ id: `r-${id}`, unit, decision: id, value: (arm + round) % 4 }) },
    );
  }
}

/** A reader that lives through all of it. */
async function follow(world: World): Promise<{ view: SnapshotsView; held: ParametersSnapshot[]; refused: string[] }> {
  const held: ParametersSnapshot[] = [];
  const refused: string[] = [];
  const view = new SnapshotsView({
    log: world.log,
    topic: world.topics.snapshots,
    codec: world.codecs.snapshot,
    onSnapshot: ({ snapshot }) => held.push(snapshot),
    onRefused: ({ code }) => refused.push(code),
    onUnavailable: rethrow,
  });
  await view.start();
  return { view, held, refused };
}

async function largestRecord(world: World, topic: string): Promise<number> {
  let bytes = 0;
  for await (const { records } of readToEnd(world.log, await startOf(world.log, topic))) {
    for (const { value } of records) bytes = Math.max(bytes, value?.length ?? 0);
  }
  return bytes;
}

/** @returns bytes of all that compaction leaves. */
async function bytesOf(world: World, topic: string): Promise<number> {
  const newest = new Map<string | null, number>();
  for await (const { records } of readToEnd(world.log, await startOf(world.log, topic))) {
    for (const { key, value } of records) newest.set(key, value?.length ?? 0);
  }
  return [...newest.values()].reduce((sum, bytes) => sum + bytes, 0);
}

it('LinUCB with 80 arms and 100 features is learned, restored and served in parts, whatever is cut off or compacted', async () => {
  const world = await World.create({ partitions: 1 });
  expect(contextDimension(large().context)).toBe(100);
  await world.define(large());
  const { view, held, refused } = await follow(world);
  const { tallies, snapshots } = world.topics;
  const compact = () => {
    for (const topic of [tallies, snapshots]) (world.log as EmbeddedLog).compact(topic);
  };
  let dealt = 0;
  for (const steps of [3, 9, 14, 20, 27, Number.MAX_SAFE_INTEGER]) {
    await deal(world, steps % 1_000);
    const crash = new CrashPoint(steps);
    const learned = Promise.withResolvers<void>();
    dealt += ARMS;
    const learner = await world.learner({
      observer: {
        tally: {
          committed: ({ join }) => {
            if (join.state.offsets.decisions + join.state.offsets.rewards === 2 * dealt) learned.resolve();
          },
        },
      },
      log: crash.log(world.log, [tallies, snapshots]),
      openStore: async (): Promise<Store> => new MemoryStore(),
      settings: SETTINGS,
    });
    const compacting = setInterval(compact, 5);
    await Promise.race([learned.promise, crash.reached]);
    await learner.stop();
    clearInterval(compacting);
    compact();
    await view.catchUp();
    // One that begins now has what the one that was there all along has, or what came before it is there still.
    const fresh = await follow(world);
    expect(fresh.view.snapshots.get(ID)?.snapshot.digest).toBe(view.snapshots.get(ID)?.snapshot.digest);
    await fresh.view.stop();
  }
  await view.stop();
  const last = held.at(-1)!;
  const { snapshots: replayed } = await world.replay();
  expect(last).toMatchObject({ version: 6 * 2 * ARMS, digest: replayed.get(ID)!.digest });
  expect(last.arms.every(({ pulls }) => pulls === 6)).toBe(true);
  expect(refused).toEqual([]);
  // Of a cell each has a pair of float64.
  expect(await bytesOf(world, tallies)).toBeGreaterThan(4_194_304);
  expect(await bytesOf(world, snapshots)).toBeGreaterThan(3_000_000);
  expect(await largestRecord(world, snapshots)).toBeLessThan(900_000);
  expect(await largestRecord(world, tallies)).toBeLessThan(900_000);
  // Of what was left half-written nothing stays.
  expect(await bytesOf(world, snapshots)).toBe(world.codecs.snapshot.encode(last).length);
}, 120_000);
