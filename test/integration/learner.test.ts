import { describe, expect, it } from 'vitest';
import type { ExperimentId } from '../../services/core/events.ts';
import { unaccounted } from '../../services/core/learning/counts.ts';
import { severable } from '../../services/platform/embedded/severable.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import type { Store } from '../../services/platform/store/port.ts';
import { decision, experiment, reward, T0 } from '../support/core.ts';
import { type Event, World } from '../support/world.ts';

const COUPON = 'coupon' as ExperimentId;

/** Decisions of 40 units and their rewards: some early, some twice, some revised, some of nobody's. */
function events(from: number, to: number): Event[] {
  return Array.from({ length: to - from }, (_, i) => from + i).flatMap((i): Event[] => {
    const unit = `user-${i % 40}`;
    const dealt: Event = { decision: decision({ id: `d${i}`, unit, arm: i % 3 === 0 ? 'A' : 'B', atMs: T0 }) };
    const won: Event = { reward: reward({ id: `r${i}`, unit, atMs: T0 + 5, decision: `d${i}`, value: (i % 7) / 3 }) };
    const revised: Event = {
      reward: reward({ id: `r${i}`, unit, atMs: T0 + 5, decision: `d${i}`, value: 1 / 3, revision: 1 }),
    };
    switch (i % 6) {
      case 0:
        return [dealt];
      case 1:
        return [won, dealt];
      case 2:
        return [dealt, dealt, won, won];
      case 3:
        return [dealt, won, revised];
      case 4:
        return [dealt, { reward: reward({ id: `r${i}`, unit, atMs: T0 + 5 }) }];
      default:
        return [{ topic: 'rewards', key: unit, bytes: Buffer.from('not Avro') }];
    }
  });
}

async function lastDigest(world: World): Promise<string> {
  return (await world.snapshots(COUPON)).at(-1)!.digest;
}

describe('the learner', () => {
  it('publishes the digest that a replay of the log gives, and accounts for every event', async () => {
    const world = await World.create();
    await world.define(experiment());
    await world.send(...events(0, 300));
    const learner = await world.learner();
    await world.learned();
    await learner.stop();
    const replayed = await world.replay();
    expect(await lastDigest(world)).toBe(replayed.snapshots.get(COUPON)!.digest);
    const counts = await world.counts();
    expect(counts).toEqual(replayed.counts);
    expect(counts.decisionsIn + counts.rewardsIn).toBe(events(0, 300).length);
    expect([unaccounted(counts, 'decisions'), unaccounted(counts, 'rewards')]).toEqual([0, 0]);
    expect(counts.rewardsDeadLettered).toBe(50);
    expect(await world.deadLetters()).toEqual(Array.from({ length: 50 }, () => 'bad-magic'));
  });

  it('publishes a snapshot of the prior before the first event', async () => {
    const world = await World.create();
    await world.define(experiment());
    const learner = await world.learner();
    await learner.stop();
    const [first] = await world.snapshots(COUPON);
    expect(first).toMatchObject({ version: 0, experimentVersion: 1 });
  });

  it.each([1, 4, 7])('gives the same digest on %i partitions', async (partitions) => {
    const world = await World.create({ partitions });
    await world.define(experiment());
    await world.send(...events(0, 300));
    const learner = await world.learner();
    await world.learned();
    await learner.stop();
    const other = await World.create({ partitions: 2 });
    await other.define(experiment());
    await other.send(...events(0, 300));
    expect(await lastDigest(world)).toBe((await other.replay()).snapshots.get(COUPON)!.digest);
  });

  it.each(['its local store', 'an empty disk'])(
    'cut off without warning and begun again on %s, ends where it would have',
    async (disk) => {
      const world = await World.create();
      await world.define(experiment());
      const stores = new Map<number, Store>();
      const openStore = async (partition: number): Promise<Store> => {
        const known = disk === 'its local store' ? stores.get(partition) : undefined;
        const store = known ?? new MemoryStore();
        stores.set(partition, store);
        return store;
      };
      for (let part = 0; part < 5; part++) {
        await world.send(...events(part * 60, part * 60 + 30));
        const cut = severable(world.log);
        const learner = await world.learner({ log: cut.log, openStore });
        await world.learned();
        await world.send(...events(part * 60 + 30, part * 60 + 60));
        cut.sever();
        await learner.stop();
      }
      const last = await world.learner({ openStore });
      await world.learned();
      await last.stop();
      const replayed = await world.replay();
      expect(await lastDigest(world)).toBe(replayed.snapshots.get(COUPON)!.digest);
      expect(await world.counts()).toEqual(replayed.counts);
    },
  );

  it('changes its digest when one reward differs', async () => {
    const digests = await Promise.all(
      [1, 0.999].map(async (value) => {
        const world = await World.create();
        await world.define(experiment());
        await world.send({ decision: decision() }, { reward: reward({ value }) });
        return (await world.replay()).snapshots.get(COUPON)!.digest;
      }),
    );
    expect(digests[0]).not.toBe(digests[1]);
  });
});

it('a learner is ready when all that it owns is restored and read, and says what is missing until then', async () => {
  const world = await World.create({ partitions: 1 });
  await world.define(experiment());
  const gate = Promise.withResolvers<void>();
  const learner = await world.learner({
    openStore: async (): Promise<Store> => {
      await gate.promise;
      return new MemoryStore();
    },
  });
  expect(learner.notReady()).toBe('partitions being restored: 0');
  gate.resolve();
  await expect.poll(() => learner.notReady()).toBeNull();
  await learner.stop();
});
