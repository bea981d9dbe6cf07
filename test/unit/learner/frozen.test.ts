/**
 * A learner that is frozen while it writes, and wakes when others have gone on: what it had on its way is older than what
 * is there, and compaction would keep it.
 */
import { expect, it } from 'vitest';
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import type { ExperimentId } from '../../../services/core/events.ts';
import type { EmbeddedLog } from '../../../services/platform/embedded/log.ts';
import type { Log } from '../../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../../services/platform/log/read-to-end.ts';
import { liveSnapshots } from '../../../services/replay/verify.ts';
import { appending } from '../../support/overriding.ts';
import { sendTraffic, trafficWorld } from '../../support/traffic.ts';
import type { World } from '../../support/world.ts';

const IDS = ['coupon', 'banner', 'layout'] as ExperimentId[];
const SETTINGS = { pollRecordsMax: 40, commitIntervalMs: 1, publishIntervalMs: 1, rollUpAgeMs: 10_000_000 };

/** A view of a log on which appends can be held up. */
function freezable(log: Log) {
  let thawed = Promise.withResolvers<void>();
  thawed.resolve();
  return {
    log: appending(log, (append) => async (to, records) => {
      await thawed.promise;
      return append(to, records);
    }),
    freeze: () => {
      thawed = Promise.withResolvers();
    },
    thaw: () => thawed.resolve(),
  };
}

async function newestOf(world: World, topic: string): Promise<Map<string, Buffer | null>> {
  const newest = new Map<string, Buffer | null>();
  for await (const { records } of readToEnd(world.log, await startOf(world.log, topic))) {
    for (const { key, value } of records) newest.set(key!, value);
  }
  return newest;
}

async function learnAll(world: World): Promise<void> {
  const learner = await world.learner({ settings: { ...SETTINGS, groupId: 'others' } });
  await world.learned();
  await learner.stop();
}

function digestsOf(snapshots: ReadonlyMap<ExperimentId, ParametersSnapshot>): unknown[] {
  return IDS.map((id) => [snapshots.get(id)?.version, snapshots.get(id)?.digest]);
}

it('what it had on its way is refused once another has taken over, so nothing older outlives what is newer', async () => {
  const world = await trafficWorld();
  const { tallies, snapshots } = world.topics;
  const frozen = freezable(world.log);
  const lost = Promise.withResolvers<string>();
  await sendTraffic(world, 0, 100);
  const learner = await world.learner({
    log: frozen.log,
    settings: { ...SETTINGS, reopenDelayMs: 1_000_000 },
    observer: {
      tally: { lost: (_partition, { code }) => lost.resolve(code) },
      publish: { published: () => {}, refused: () => {}, unavailable: () => {} },
    },
  });
  await world.learned();
  frozen.freeze();
  await sendTraffic(world, 100, 200);
  await learnAll(world);
  await sendTraffic(world, 200, 300);
  await learnAll(world);
  const truth = { tallies: await newestOf(world, tallies), snapshots: await newestOf(world, snapshots) };

  frozen.thaw();
  expect(await lost.promise).toBe('overtaken');
  expect(await newestOf(world, tallies)).toEqual(truth.tallies);
  expect(await newestOf(world, snapshots)).toEqual(truth.snapshots);
  await learner.stop();

  for (const topic of [tallies, snapshots]) (world.log as EmbeddedLog).compact(topic);
  // All that is known on an empty disk is what compaction has left.
  await sendTraffic(world, 300, 340);
  await learnAll(world);
  const live = await liveSnapshots(world.log, world.topics, world.codecs);
  expect(digestsOf(live)).toEqual(digestsOf((await world.replay(live)).snapshots));
}, 30_000);
