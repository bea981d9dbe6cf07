/**
 * A learner that is frozen while it writes, and wakes when others have gone on: what it appends is older than what is
 * there, and compaction would keep it.
 */
import { expect, it } from 'vitest';
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import type { ExperimentId } from '../../../services/core/events.ts';
import type { EmbeddedLog } from '../../../services/platform/embedded/log.ts';
import type { LogRecord } from '../../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../../services/platform/log/read-to-end.ts';
import { liveSnapshots } from '../../../services/replay/verify.ts';
import { sendTraffic, trafficWorld } from '../../support/traffic.ts';
import type { World } from '../../support/world.ts';

const IDS = ['coupon', 'banner', 'layout'] as ExperimentId[];
const SETTINGS = { pollRecordsMax: 40, commitIntervalMs: 1, publishIntervalMs: 1, rollUpAgeMs: 10_000_000 };

type Placed = LogRecord & { readonly partition: number };

async function recordsOf(world: World, topic: string): Promise<Placed[]> {
  const all: Placed[] = [];
  for await (const { partition, records } of readToEnd(world.log, await startOf(world.log, topic))) {
    all.push(...records.map((record) => ({ ...record, partition })));
  }
  return all;
}

async function newestOf(world: World, topic: string): Promise<Map<string, Buffer | null>> {
  return new Map((await recordsOf(world, topic)).map(({ key, value }) => [key!, value]));
}

/** Appends the oldest record of each key once more, and a tombstone for one of them. */
async function wakeFrozen(world: World, topic: string): Promise<void> {
  const oldest = new Map((await recordsOf(world, topic)).reverse().map((record) => [record.key!, record]));
  for (const [key, { value, partition }] of oldest) await world.append(topic, { key, value }, partition);
}

async function learnAll(world: World): Promise<void> {
  const learner = await world.learner({ settings: SETTINGS });
  await world.learned();
  await learner.stop();
}

function digestsOf(snapshots: ReadonlyMap<ExperimentId, ParametersSnapshot>): unknown[] {
  return IDS.map((id) => [snapshots.get(id)?.version, snapshots.get(id)?.digest]);
}

it.each([
  ['that runs', true],
  ['that begins afterwards', false],
])(
  'what it appends, or removes, does not outlive what is newer: a publisher %s appends that again',
  async (_which, runs) => {
    const world = await trafficWorld();
    const { tallies, snapshots } = world.topics;
    await sendTraffic(world, 0, 200);
    await learnAll(world);
    await sendTraffic(world, 200, 300);
    await learnAll(world);
    const truth = { tallies: await newestOf(world, tallies), snapshots: await newestOf(world, snapshots) };

    const begin = () => world.learner({ settings: SETTINGS });
    const running = runs ? await begin() : null;
    await wakeFrozen(world, tallies);
    await wakeFrozen(world, snapshots);
    const removed = [...truth.tallies.keys()].find((key) => key.startsWith('coupon/'))!;
    await world.append(
      tallies,
      { key: removed, value: null },
      (await recordsOf(world, tallies)).find(({ key }) => key === removed)!.partition,
    );
    const learner = running ?? (await begin());
    const isRepaired = async () =>
      (await isSame(world, tallies, truth.tallies)) && (await isSame(world, snapshots, truth.snapshots));
    await expect.poll(isRepaired, { timeout: 10_000 }).toBe(true);
    await learner.stop();

    for (const topic of [tallies, snapshots]) (world.log as EmbeddedLog).compact(topic);
    // All that is known on an empty disk is what compaction has left.
    await sendTraffic(world, 300, 340);
    await learnAll(world);
    const live = await liveSnapshots(world.log, world.topics, world.codecs);
    expect(digestsOf(live)).toEqual(digestsOf((await world.replay(live)).snapshots));
  },
  30_000,
);

async function isSame(world: World, topic: string, truth: ReadonlyMap<string, Buffer | null>): Promise<boolean> {
  const newest = await newestOf(world, topic);
  return [...truth].every(([key, value]) => {
    const now = newest.get(key);
    return value === null ? now === null : now?.equals(value);
  });
}
