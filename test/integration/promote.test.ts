/** A candidate takes over while events come in: at known offsets, at once, with no event lost or counted twice. */
import { describe, expect, it } from 'vitest';
import type { ParametersSnapshot } from '../../services/core/deciding/snapshot.ts';
import { Fenced } from '../../services/core/errors.ts';
import type { ExperimentId } from '../../services/core/events.ts';
import type { Experiment } from '../../services/core/experiment.ts';
import { readExperiments } from '../../services/platform/experiments-view.ts';
import type { Log } from '../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../services/platform/log/read-to-end.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { replayPartition } from '../../services/replay/partition.ts';
import { planReplay } from '../../services/replay/plan.ts';
import { type PromotionPlan, planPromotion, promote } from '../../services/replay/promote.ts';
import { type Replayed, runReplay } from '../../services/replay/replay.ts';
import { spanOf } from '../../services/replay/span.ts';
import { experiment } from '../support/core.ts';
import { CrashPoint } from '../support/faults.ts';
import { appending } from '../support/overriding.ts';
import { rewardSpec } from '../support/reward-spec.ts';
import { sendTraffic, trafficWorld } from '../support/traffic.ts';
import type { World } from '../support/world.ts';

const PARTITIONS = 2;
const COUPON = 'coupon' as ExperimentId;

/** Other rewards, attribution and cohorts, and another policy. */
const WANTED: Experiment = experiment({
  id: COUPON,
  attribution: { model: 'every-decision', windowMs: 1_500 },
  cohortMs: 700,
  policies: [{ kind: 'softmax', parameters: new Map([['temperature', 0.1]]) }],
  reward: rewardSpec({ metrics: { click: { fold: 'max' } }, delay: 'labelled' }),
  appliedAtMs: [],
});

function run(world: World, { plan }: Pick<PromotionPlan, 'plan'>): Promise<Replayed> {
  return runReplay(plan, {
    ...{ parallel: 1, tallyCodec: world.codecs.tally, onProgress: () => {} },
    replayOne: (partition) => {
      const options = { ...world, pollRecordsMax: 100, commitRecords: 1_000 };
      return replayPartition(options, plan, partition, new MemoryStore(), () => {});
    },
  });
}

/** @returns a learner whose stores outlive its tasks, and how often a partition was opened again. */
async function learnerOf(world: World, stores = new Map<number, MemoryStore>()) {
  const reopened: string[] = [];
  const learner = await world.learner({
    openStore: async (partition) => {
      const store = stores.get(partition) ?? new MemoryStore();
      stores.set(partition, store);
      return store;
    },
    observer: { tally: { lost: (_partition, error) => reopened.push(error.code) } },
  });
  return { learner, reopened, stores };
}

/** @returns the digest that a replay by the definition of the snapshot's version comes to at what the snapshot reflects. */
async function truthOf(
  world: World,
  snapshot: ParametersSnapshot,
  definitions: readonly Experiment[],
): Promise<string> {
  const definition = definitions.find(({ version }) => version === snapshot.experimentVersion)!;
  const span = await spanOf(world.log, world.topics, { from: null, to: null });
  const all = new Map([...(await readExperiments(world)), [COUPON, definition]]);
  const plan = planReplay(span, all, world.limits, new Map([[COUPON, snapshot]]));
  return (await run(world, { plan })).snapshots.get(COUPON)!.digest;
}

async function definitionOf(world: World): Promise<Experiment> {
  return (await readExperiments(world)).get(COUPON)!;
}

describe('a promoted candidate', () => {
  it('has learned what a replay by it from the start learns, and no snapshot on the way is of anything else', async () => {
    const world = await trafficWorld(PARTITIONS);
    const before = await definitionOf(world);
    await sendTraffic(world, 0, 100);
    const { learner, reopened } = await learnerOf(world);
    await world.learned();
    const planned = await planPromotion(world, WANTED, world.limits);
    // The live learner goes on while the candidate is replayed.
    await sendTraffic(world, 100, 140);
    const replayed = await run(world, planned);
    await world.learned();
    await sendTraffic(world, 140, 150);
    const { after } = await promote(world, planned, replayed);
    await sendTraffic(world, 150, 220);
    await learned(world, after);
    await learner.stop();

    const truth = await world.replay();
    const snapshots = await world.snapshots(COUPON);
    expect(snapshots.at(-1)).toMatchObject({ experimentVersion: 2, digest: truth.snapshots.get(COUPON)!.digest });
    expect(new Set(reopened)).toEqual(new Set(['promoted']));
    expect(await world.counts()).toMatchObject({ decisionsIn: truth.counts.decisionsIn });
    for (const id of ['banner', 'layout'] as ExperimentId[]) {
      expect((await world.snapshots(id)).at(-1)!.digest).toBe(truth.snapshots.get(id)!.digest);
    }
    const definitions = [before, after];
    expect(new Set(snapshots.map(({ experimentVersion }) => experimentVersion))).toEqual(new Set([1, 2]));
    // Nobody ever goes back, in any partition.
    const reach = (at: ParametersSnapshot) => at.offsets.flatMap(({ decisions, rewards }) => [decisions, rewards]);
    snapshots.reduce((earlier, later) => {
      const [was, is] = [reach(earlier), reach(later)];
      expect(was.every((offset, i) => offset <= (is[i] ?? 0))).toBe(true);
      return later;
    });
    for (const snapshot of snapshots) expect(snapshot.digest).toBe(await truthOf(world, snapshot, definitions));
  });

  it('either stands or does not, whatever step of its promotion is the last, and the same again finishes', async () => {
    for (let steps = 0, crashed = true; crashed; steps++) {
      const world = await trafficWorld(PARTITIONS);
      await sendTraffic(world, 0, 60);
      const { learner } = await learnerOf(world);
      await world.learned();
      const planned = await planPromotion(world, WANTED, world.limits);
      const replayed = await run(world, planned);
      const crash = new CrashPoint(steps);
      const cut = { ...world, log: crash.log(world.log, [world.topics.tallies, world.topics.experiments]) };
      try {
        await promote(cut, planned, replayed);
        crashed = false;
      } catch (error) {
        if (!(error instanceof Fenced)) throw error;
      }
      await sendTraffic(world, 60, 90);
      await world.learned();
      const { after } = await promote(world, planned, replayed);
      expect(after).toMatchObject({ version: 2, promotion: planned.promoted.promotion });
      await sendTraffic(world, 90, 110);
      await learned(world, after);
      await learner.stop();
      const truth = (await world.replay()).snapshots.get(COUPON)!;
      expect((await world.snapshots(COUPON)).at(-1)!.digest).toBe(truth.digest);
      expect(steps).toBeLessThan(20);
    }
  });

  it('is found by learners that were away, on the store they had or on none', async () => {
    const world = await trafficWorld(PARTITIONS);
    await sendTraffic(world, 0, 60);
    const { learner, stores } = await learnerOf(world);
    await world.learned();
    await learner.stop();
    const planned = await planPromotion(world, WANTED, world.limits);
    await sendTraffic(world, 60, 90);
    const { after } = await promote(world, planned, await run(world, planned));
    for (const disk of [stores, new Map<number, MemoryStore>()]) {
      await sendTraffic(world, 90, 100);
      const { learner: again } = await learnerOf(world, disk);
      await learned(world, after);
      await again.stop();
      const truth = (await world.replay()).snapshots.get(COUPON)!;
      expect((await world.snapshots(COUPON)).at(-1)!.digest).toBe(truth.digest);
    }
  });

  it('is left alone by whoever was overtaken while promoting the same', async () => {
    const world = await trafficWorld(PARTITIONS);
    await sendTraffic(world, 0, 60);
    const { learner } = await learnerOf(world);
    await world.learned();
    const planned = await planPromotion(world, WANTED, world.limits);
    const replayed = await run(world, planned);
    const [held, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slow = promote({ ...world, log: holding(world, held.resolve, free.promise) }, planned, replayed);
    await held.promise;
    const { after } = await promote(world, planned, replayed);
    await sendTraffic(world, 60, 90);
    await learned(world, after);
    free.resolve();
    expect(await slow).toMatchObject({ changed: false, after: { version: 2 } });
    await learner.stop();
    const reached = new Map<string, number>();
    for await (const { records } of readToEnd(world.log, await startOf(world.log, world.topics.tallies))) {
      for (const { key, value } of records) {
        if (value === null) continue;
        const { offsets } = world.codecs.tally.decode(value);
        expect(offsets.decisions).toBeGreaterThanOrEqual(reached.get(key!) ?? 0);
        reached.set(key!, offsets.decisions);
      }
    }
    const truth = (await world.replay()).snapshots.get(COUPON)!;
    expect((await world.snapshots(COUPON)).at(-1)!.digest).toBe(truth.digest);
  });

  it('can be promoted over, and one that was made for an earlier version is refused', async () => {
    const world = await trafficWorld(PARTITIONS);
    await sendTraffic(world, 0, 60);
    const { learner } = await learnerOf(world);
    await world.learned();
    const [first, stale] = [
      await planPromotion(world, WANTED, world.limits),
      await planPromotion(world, { ...WANTED, floor: 0.5 }, world.limits),
    ];
    await promote(world, first, await run(world, first));
    await expect(promote(world, stale, await run(world, stale))).rejects.toMatchObject({ code: 'promotion-overtaken' });
    await learned(world, await definitionOf(world));
    await sendTraffic(world, 60, 80);
    await world.learned();
    const second = await planPromotion(world, { ...WANTED, cohortMs: 900 }, world.limits);
    const { after } = await promote(world, second, await run(world, second));
    await sendTraffic(world, 80, 100);
    await learned(world, after);
    await learner.stop();
    const truth = (await world.replay()).snapshots.get(COUPON)!;
    expect((await world.snapshots(COUPON)).at(-1)).toMatchObject({ experimentVersion: 3, digest: truth.digest });
  });
});

/** The log of somebody whose first tallies wait before they are appended. */
function holding({ log, topics }: World, held: () => void, free: Promise<void>): Log {
  return appending(log, (append) => async (to, records) => {
    if (to.topic === topics.tallies && records.some(({ value }) => value !== null)) {
      held();
      await free;
    }
    return append(to, records);
  });
}

/** Resolves when all is learned by the definition: progress of every partition tells of its line. */
async function learned(world: World, { promotion }: Experiment): Promise<void> {
  for (;;) {
    await world.learned();
    const lines = [...(await world.progress()).values()].map((progress) => progress.lines);
    if (lines.length === PARTITIONS && lines.every((known) => known.some((line) => line.endsWith(promotion!.label))))
      return;
    await new Promise(setImmediate);
  }
}
