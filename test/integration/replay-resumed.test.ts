/** A replay that ends half-way goes on where it was, and what is written into a namespace is what a learner goes on from. */
import { describe, expect, it } from 'vitest';
import { createCodecs } from '../../services/contracts/codec.ts';
import { topicNames } from '../../services/contracts/keys.ts';
import { Fenced } from '../../services/core/errors.ts';
import { embeddedSchemaSource } from '../../services/platform/embedded/schema-source.ts';
import { readExperiments } from '../../services/platform/experiments-view.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { prepareNamespace, writeReplayed } from '../../services/replay/into.ts';
import { type PartitionReplayed, replayPartition } from '../../services/replay/partition.ts';
import { planReplay, type ReplayPlan } from '../../services/replay/plan.ts';
import { type Replayed, runReplay } from '../../services/replay/replay.ts';
import { parsePosition, spanOf } from '../../services/replay/span.ts';
import { liveSnapshots, verify } from '../../services/replay/verify.ts';
import { CrashPoint } from '../support/faults.ts';
import { sendTraffic, trafficWorld } from '../support/traffic.ts';
import type { World } from '../support/world.ts';

const PARTITIONS = 2;

async function planFor(world: World, from: string | null, to: string | null = null): Promise<ReplayPlan> {
  const position = (text: string | null) => (text === null ? null : parsePosition('position', text));
  const span = await spanOf(world.log, world.topics, { from: position(from), to: position(to) });
  return planReplay(span, await readExperiments(world), world.limits);
}

function run(world: World, plan: ReplayPlan, replayOne: (partition: number) => Promise<PartitionReplayed>) {
  return runReplay(plan, { parallel: 2, tallyCodec: world.codecs.tally, onProgress: () => {}, replayOne });
}

const options = (world: World) => ({ ...world, pollRecordsMax: 20, commitRecords: 30 });

function straight(world: World, plan: ReplayPlan): Promise<Replayed> {
  return run(world, plan, (partition) => replayPartition(options(world), plan, partition, new MemoryStore(), () => {}));
}

const digests = ({ snapshots }: Replayed) => [...snapshots.values()].map(({ digest }) => digest);

describe('a replay', () => {
  it('that is ended at any of its commits goes on from there, to the same sums, snapshots and books', async () => {
    const world = await trafficWorld(PARTITIONS);
    await sendTraffic(world, 0, 150);
    // Live snapshots at cuts of their own are proved on the way.
    const learner = await world.learner();
    await world.learned();
    await learner.stop();
    const live = await liveSnapshots(world.log, world.topics, world.codecs);
    await sendTraffic(world, 150, 200);
    const span = await spanOf(world.log, world.topics, { from: null, to: null });
    const plan = planReplay(span, await readExperiments(world), world.limits, live);
    const truth = await straight(world, plan);
    expect(verify(truth.snapshots, live, true).map(({ verdict }) => verdict)).toEqual(['same', 'same', 'same']);

    const stores = Array.from({ length: PARTITIONS }, () => new MemoryStore());
    let resumed = 0;
    let crashes = 0;
    const replayOne = async (partition: number): Promise<PartitionReplayed> => {
      for (;;) {
        // The store forgets what was not committed, as a killed process's does. A stop that was just met is met again first.
        const crash = new CrashPoint(2);
        const store = crash.store(stores[partition]!);
        try {
          return await replayPartition(options(world), plan, partition, store, (progress) => {
            resumed = Math.max(resumed, progress.resumed);
          });
        } catch (error) {
          if (!(error instanceof Fenced)) throw error;
          crashes += 1;
        }
      }
    };
    const again = await run(world, plan, replayOne);
    expect(again.counts).toEqual(truth.counts);
    expect(digests(again)).toEqual(digests(truth));
    expect(crashes).toBeGreaterThan(5);
    // It did not begin at the start each time.
    expect(resumed).toBeGreaterThan(150);
  });

  it('of a span learns what lies in it and nothing else', async () => {
    const world = await trafficWorld(PARTITIONS);
    await sendTraffic(world, 0, 100);
    const until = digests(await straight(world, await planFor(world, null)));
    const middle = new Date(world.clock.nowMs + 1).toISOString();
    world.clock.nowMs += 2;
    await sendTraffic(world, 101, 160);
    expect(digests(await straight(world, await planFor(world, null, middle)))).toEqual(until);
    const { counts } = await straight(world, await planFor(world, middle));
    const whole = (await straight(world, await planFor(world, null))).counts;
    const before = (await straight(world, await planFor(world, null, middle))).counts;
    expect(counts.decisionsIn + before.decisionsIn).toBe(whole.decisionsIn);
  });
});

describe('a namespace that is replayed into', () => {
  const topics = topicNames('', 'shadow.');
  const codecs = createCodecs(embeddedSchemaSource(topics), topics);

  async function replayInto(world: World): Promise<Replayed> {
    const plan = await planFor(world, null);
    const replayed = await straight(world, plan);
    await writeReplayed({ log: world.log, topics, codecs }, { plan, allRetained: true }, replayed);
    return replayed;
  }

  it('is what a learner goes on from, as if it had learned all of it itself', async () => {
    const world = await trafficWorld(PARTITIONS);
    await sendTraffic(world, 0, 100);
    await prepareNamespace(world.log, topics);
    const written = await replayInto(world);
    // Written again, as after an end half-way, it is the same.
    await replayInto(world);
    const shadow = Object.assign(Object.create(world) as World, { topics, codecs });
    expect([...(await liveSnapshots(world.log, topics, codecs)).values()].map(({ digest }) => digest).sort()).toEqual(
      digests(written).sort(),
    );
    await sendTraffic(world, 100, 160);
    const learner = await shadow.learner();
    await shadow.learned();
    await learner.stop();
    const truth = await world.replay();
    expect(await shadow.counts()).toEqual(truth.counts);
    for (const [id, { digest }] of truth.snapshots) expect((await shadow.snapshots(id)).at(-1)!.digest).toBe(digest);
    await expect(prepareNamespace(world.log, topics)).rejects.toMatchObject({ code: 'namespace-used' });
    await expect(
      writeReplayed(
        { log: world.log, topics, codecs },
        { plan: await planFor(world, null, '10'), allRetained: true },
        written,
      ),
    ).rejects.toMatchObject({ code: 'namespace-used' });
  });
});
