import { describe, expect, it } from 'vitest';
import { Fenced, Unavailable } from '../../../services/core/errors.ts';
import type { Counts } from '../../../services/core/learning/counts.ts';
import { unaccounted } from '../../../services/core/learning/counts.ts';
import { getOrInsert } from '../../../services/core/learning/sums.ts';
import { isSeeded } from '../../../services/learner/repartition/seed.ts';
import { partitionOf } from '../../../services/platform/log/partitioner.ts';
import type { Log } from '../../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../../services/platform/log/read-to-end.ts';
import { MemoryStore } from '../../../services/platform/store/memory.ts';
import type { Store } from '../../../services/platform/store/port.ts';
import { decision, reward, T0 } from '../../support/core.ts';
import { startTestDecider } from '../../support/decider.ts';
import { CrashPoint, droppedBefore } from '../../support/faults.ts';
import { appending, overriding } from '../../support/overriding.ts';
import { nextGeneration, repartitionInto } from '../../support/repartition.ts';
import { STEP_MS, sendTraffic, trafficWorld } from '../../support/traffic.ts';
import { topicSpecs, type World } from '../../support/world.ts';

/** Cohorts are rolled up as they end. */
const SETTINGS = { pollRecordsMax: 17, commitIntervalMs: 1, rollUpAgeMs: 0 };
/** What is still reached at the end goes back some 320 steps: the first of so many are gone for good by then. */
const STEPS = 420;

/** Learns all that is there, on an empty disk. */
async function learn(world: World, log = world.log): Promise<void> {
  const learner = await world.learner({ log, settings: SETTINGS, openStore: async () => new MemoryStore() });
  await world.learned();
  await learner.stop();
}

interface End {
  readonly digests: Record<string, string>;
  readonly counts: Counts;
}

async function endOf(world: World): Promise<End> {
  const digests: Record<string, string> = {};
  for (const id of ['coupon', 'banner', 'layout']) {
    digests[id] = (await world.snapshots(id as never)).at(-1)!.digest;
  }
  return { digests, counts: await world.counts() };
}

function wholly({ decisionsPending, decisionsExpired, rewardsPending, rewardsUnmatched, ...counts }: Counts) {
  // When an entry runs out goes by the clocks of its partition, which are others now.
  return { ...counts, open: decisionsPending + decisionsExpired, unowned: rewardsPending + rewardsUnmatched };
}

/** Of the same events. */
async function expectSame(world: World, wanted: End): Promise<void> {
  const end = await endOf(world);
  expect(end.digests).toEqual(wanted.digests);
  expect(wholly(end.counts)).toEqual(wholly(wanted.counts));
  expect([unaccounted(end.counts, 'decisions'), unaccounted(end.counts, 'rewards')]).toEqual([0, 0]);
}

/** Long after all else, something in every partition of either stream: then all else has run out, whatever its partition. */
async function sweep(world: World): Promise<void> {
  world.clock.nowMs = T0 + 10_000 * STEP_MS;
  for (let unit = 0; unit < 60; unit++) {
    const own = { id: `sweep-${unit}`, unit: `sweep-${unit}`, atMs: world.clock.nowMs };
    await world.send({ decision: decision(own) }, { reward: reward({ ...own, decision: 'nobody' }) });
  }
}

/** As retention would have dropped it: what nothing that is still to come can reach. */
async function aged(world: World): Promise<Log> {
  const inputs = [world.topics.decisions, world.topics.rewards];
  return droppedBefore(world.log, inputs, T0 + 20 * STEP_MS);
}

describe('an installation that gets another number of partitions', () => {
  it.each([
    ['all that was ever appended', true],
    ['what can still be reached', false],
  ])('and has %s goes on as if it had always had it', async (_what, isWhole) => {
    // Never changed: the same traffic at the same times.
    const unchanged = await trafficWorld(4);
    await sendTraffic(unchanged, 0, STEPS + 60);
    await sweep(unchanged);
    await learn(unchanged);

    let world = await trafficWorld(4);
    let sent = 0;
    const send = async (to: World, steps: number) => {
      await sendTraffic(to, sent, sent + steps);
      sent += steps;
    };
    await send(world, STEPS);
    await learn(world);
    await send(world, 10);
    const log = isWhole ? world.log : await aged(world);
    for (const partitions of [7, 1]) {
      const from = world;
      const next = await nextGeneration(from, partitions);
      const { plan, late } = await repartitionInto(world, next, { log });
      expect([plan.isWhole, late]).toEqual([isWhole, 0]);
      // Events that the old topics still get are copied on, while both are learned from.
      await send(world, 10);
      await repartitionInto(world, next, { log });
      await learn(next, log);
      await send(world, 5);
      await repartitionInto(world, next, { log, nowMs: () => from.clock.nowMs + 1 });
      world = next;
      await send(world, 10);
    }
    await sweep(world);
    await learn(world, log);
    expect(await endOf(world)).toEqual(await endOf(unchanged));
  });
});

/** How a world of four partitions ends that was left as it is. */
async function unchangedEnd(steps: number): Promise<End> {
  const world = await trafficWorld(4);
  await sendTraffic(world, 0, steps);
  await learn(world);
  return endOf(world);
}

/** A world of four partitions that has learned something and lost its oldest events. */
async function begun(): Promise<{ world: World; log: Log }> {
  const world = await trafficWorld(4);
  await sendTraffic(world, 0, STEPS);
  await learn(world);
  await sendTraffic(world, STEPS, STEPS + 10);
  return { world, log: await aged(world) };
}

const inputsAndTallies = ({ topics }: World) => [topics.decisions, topics.rewards, topics.tallies];

describe('a copier that is ended', () => {
  it('at any append, and begun again, ends where it would have', async () => {
    const wanted = await unchangedEnd(STEPS + 20);
    let crashes = 0;
    // Copies are alike; the appends that begin the new topics are tried one by one.
    for (let steps = 0; ; steps += steps < 28 ? 4 : 1) {
      const { world, log } = await begun();
      const next = await nextGeneration(world, 3);
      const crash = new CrashPoint(steps);
      await repartitionInto(world, next, { log: crash.log(log, inputsAndTallies(next)) }).catch((error: unknown) => {
        if (!(error instanceof Fenced)) throw error;
      });
      // A learner may begin only with all of it there, since what comes after is written no more.
      if (await isSeeded(log, next.topics)) expect((await next.progress()).size).toBe(3);
      await repartitionInto(world, next, { log, nowMs: () => world.clock.nowMs + 1 });
      await sendTraffic(next, STEPS + 10, STEPS + 20);
      await learn(next, log);
      await expectSame(next, wanted);
      if (!crash.isReached) break;
      crashes += 1;
    }
    expect(crashes).toBeGreaterThan(5);
  });

  it.each([
    ['was not appended', false],
    ['was, but nobody answered', true],
  ])(
    'for a while, by a log that does not answer, goes on by itself, whether what it appended %s',
    async (_what, isThere) => {
      const { world, log } = await begun();
      const next = await nextGeneration(world, 3);
      const wanted = await unchangedEnd(STEPS + 20);
      const away: string[] = [];
      const flaky = failingAt(log, inputsAndTallies(next), [2, 9, 16], isThere);
      const unavailable = ({ code }: Unavailable) => void away.push(code);
      const observer = { copied: () => {}, learning: () => {}, begun: () => {}, unavailable };
      await repartitionInto(world, next, { log: flaky, observer, nowMs: () => world.clock.nowMs + 1 });
      expect(away.length).toBeGreaterThan(1);
      await sendTraffic(next, STEPS + 10, STEPS + 20);
      await learn(next, log);
      await expectSame(next, wanted);
    },
  );
});

/** A log on which some appends to these topics fail as if it were away. */
function failingAt(log: Log, topics: readonly string[], failing: readonly number[], isThere: boolean): Log {
  let appends = 0;
  return appending(log, (append) => async (to, records) => {
    const fails = topics.includes(to.topic) && failing.includes(appends++);
    if (!fails || isThere) {
      const offset = await append(to, records);
      if (!fails) return offset;
    }
    throw new Unavailable('away', 'no answer');
  });
}

describe('a new generation of topics', () => {
  it('is not learned from before it says what was learned before it', async () => {
    const { world } = await begun();
    const next = await nextGeneration(world, 3);
    await expect(next.learner()).rejects.toMatchObject({ code: 'not-seeded' });
  });

  it('is refused when something else wrote there before it had begun', async () => {
    const { world, log } = await begun();
    const next = await nextGeneration(world, 3);
    await sendTraffic(next, STEPS + 10, STEPS + 11);
    await expect(repartitionInto(world, next, { log })).rejects.toMatchObject({ code: 'written-early' });
  });

  it('refuses what was refused in the old one, wherever it would belong now', async () => {
    const world = await trafficWorld(4);
    await sendTraffic(world, 0, 10);
    const value = world.codecs.decision.encode(decision({ id: 'stray', unit: 'user-1' }));
    for (let partition = 0; partition < 4; partition++) {
      await world.append(world.topics.decisions, { key: 'user-1', value }, partition);
    }
    await learn(world);
    const next = await nextGeneration(world, 1);
    await repartitionInto(world, next, { nowMs: () => world.clock.nowMs + 1 });
    await learn(next);
    await expectSame(next, await endOf(world));
  });

  it('takes an event that the old topics get after the new ones as of its own append', async () => {
    const { world, log } = await begun();
    const next = await nextGeneration(world, 3);
    await repartitionInto(world, next, { log });
    await sendTraffic(next, STEPS + 10, STEPS + 20);
    world.clock.nowMs += 1;
    await world.send({ decision: decision({ id: 'last', unit: 'user-1', atMs: world.clock.nowMs }) });
    await repartitionInto(world, next, { log, nowMs: () => world.clock.nowMs + 1 });
    await learn(next, log);
    expect(unaccounted(await next.counts(), 'decisions')).toBe(0);
    const learned = (await next.counts()).decisionsIn;
    await repartitionInto(world, next, { log, nowMs: () => world.clock.nowMs + 1 });
    await learn(next, log);
    expect((await next.counts()).decisionsIn).toBe(learned);
  });
});

describe('topics that were given more partitions under way', () => {
  /** As `kafka-topics --alter` leaves them: what is in the first partitions stays there. */
  async function altered(stores: Map<number, Store> = new Map()): Promise<World> {
    const world = await trafficWorld(4);
    await sendTraffic(world, 0, 40);
    const learner = await world.learner({
      settings: SETTINGS,
      openStore: async (partition) => getOrInsert(stores, partition, () => new MemoryStore()),
    });
    await world.learned();
    await learner.stop();
    return alter(world, 7);
  }

  async function alter(world: World, partitions: number): Promise<World> {
    const { decisions, rewards } = world.topics;
    for (const topic of [decisions, rewards]) {
      const kept = (await Array.fromAsync(readToEnd(world.log, await startOf(world.log, topic)))).flatMap(
        ({ partition, records }) => records.map((record) => ({ partition, record })),
      );
      await world.log.admin.deleteTopics([topic]);
      await world.log.admin.createTopics(
        topicSpecs(world.topics, partitions, 1_048_576).filter((s) => s.topic === topic),
      );
      for (const { partition, record } of kept) await world.append(topic, record, partition);
    }
    return world;
  }

  const failure = async (world: World, options: Parameters<World['learner']>[0] = {}) => {
    const failed = Promise.withResolvers<unknown>();
    const learner = await world.learner({ ...options, observer: { tally: { failed: failed.resolve } } });
    const error = await failed.promise;
    await learner.stop();
    return error;
  };

  const REFUSED = {
    code: 'partitions-changed',
    message: expect.stringMatching(/7 partitions.* of 4.*croupier repartition/),
  };

  it('stop a learner that finds tallies of another number, and it says what to do', async () => {
    expect(await failure(await altered())).toMatchObject(REFUSED);
  });

  it('stop a learner that runs, before it has refused the units that moved', async () => {
    const world = await trafficWorld(4);
    await sendTraffic(world, 0, 10);
    const failed = Promise.withResolvers<unknown>();
    let added = 0;
    const { log } = world;
    const learner = await world.learner({
      log: overriding(log, {
        admin: overriding(log.admin, {
          partitionCount: async (topic) => (await log.admin.partitionCount(topic))! + added,
        }),
      }),
      observer: { tally: { failed: failed.resolve } },
    });
    await world.learned();
    added = 3;
    const moved = world.codecs.decision.encode(decision({ id: 'moved', unit: 'user-1' }));
    await world.append(world.topics.decisions, { key: 'user-1', value: moved }, (partitionOf('user-1', 4) + 1) % 4);
    expect(await failed.promise).toMatchObject(REFUSED);
    await learner.stop();
    expect((await world.counts()).decisionsDeadLettered).toBe(0);
    expect(await world.deadLetters()).not.toContain('wrong-partition');
  });

  it('stop a decider whose snapshots are of another number', async () => {
    const world = await altered();
    const failed = Promise.withResolvers<unknown>();
    const decider = await startTestDecider(world, { parts: { failed: failed.resolve } });
    expect(await failed.promise).toMatchObject(REFUSED);
    await decider.stop();
  });

  it('stop a decider when only one of the two has more', async () => {
    const world = await altered();
    await world.log.admin.deleteTopics([world.topics.rewards]);
    const four = topicSpecs(world.topics, 4, 1_048_576).filter(({ topic }) => topic === world.topics.rewards);
    await world.log.admin.createTopics(four);
    const failed = Promise.withResolvers<unknown>();
    const decider = await startTestDecider(world, { parts: { failed: failed.resolve } });
    expect(await failed.promise).toMatchObject({ code: 'partitions-changed' });
    await decider.stop();
  });

  it('stop a learner that finds a local store of another number', async () => {
    const stores = new Map<number, Store>();
    const world = await altered(stores);
    await world.log.admin.deleteTopics([world.topics.tallies]);
    await world.createTopics().catch(() => {});
    await world.log.admin.createTopics(topicSpecs(world.topics, 7, 1_048_576));
    const openStore = async (partition: number) => stores.get(partition) ?? new MemoryStore();
    expect(await failure(world, { openStore })).toMatchObject(REFUSED);
  });

  it('are learned from by `croupier repartition` while the log has every event', async () => {
    const world = await altered();
    const unchanged = await trafficWorld(7);
    await sendTraffic(unchanged, 0, 40);
    await learn(unchanged);
    const next = await nextGeneration(world, 5);
    await repartitionInto(world, next, { nowMs: () => world.clock.nowMs + 1 });
    await learn(next);
    await expectSame(next, await endOf(unchanged));
  });

  it('are refused by `croupier repartition` when it has not', async () => {
    const world = await altered();
    const log = await droppedBefore(world.log, [world.topics.rewards], world.clock.nowMs + 1);
    const next = await nextGeneration(world, 5);
    await expect(repartitionInto(world, next, { log })).rejects.toMatchObject(REFUSED);
  });
});
