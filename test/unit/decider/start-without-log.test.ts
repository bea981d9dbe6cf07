/** Starting while the log is away: from what an earlier decider mirrored. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import { DiskMirror } from '../../../services/platform/mirror/disk.ts';
import { experiment } from '../../support/core.ts';
import { awayable, decisionsOn, get, post, startTestDecider, until } from '../../support/decider.ts';
import { snapshotOf } from '../../support/snapshots.ts';
import { World } from '../../support/world.ts';

let folder = '';
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decider-'));
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await rm(folder, { recursive: true });
});

async function publish(world: World, snapshot: ParametersSnapshot): Promise<void> {
  const writer = world.log.writer();
  const value = world.codecs.snapshot.encode(snapshot);
  await writer.append({ topic: world.topics.snapshots, partition: 0 }, [{ key: snapshot.experimentId, value }]);
}

/** A world whose definition and snapshot 4 an earlier decider has seen, and a log of it that is away. */
async function setUp() {
  const world = await World.create();
  await world.define(experiment());
  await publish(world, snapshotOf(experiment(), { version: 4 }));
  const earlier = await startTestDecider(world, { mirrors: [new DiskMirror(folder)] });
  await earlier.caughtUp;
  await earlier.stop();
  const flaky = awayable(world.log);
  flaky.away = true;
  return { world, flaky };
}

async function start(world: World, log: World['log'], from: string) {
  const running = await startTestDecider(world, {
    log,
    mirrors: [new DiskMirror(from)],
    settings: { logWaitMs: 5, drainMsMax: 500 },
  });
  stops.push(() => running.stop());
  return running;
}

const ASK = { exp_id: 'coupon', user_id: 'u' };

describe('a decider that starts while the log is away', () => {
  it('serves the last good snapshot with its age, and says that it does', async () => {
    const { world, flaky } = await setUp();
    world.clock.nowMs += 60_000;
    const running = await start(world, flaky.log, folder);
    await until(() => running.readiness().ready);
    expect(await get(running.httpPort, '/ready')).toMatchObject({
      status: 200,
      body: { status: 'ready', origin: 'mirror', oldestSnapshotAgeMs: 60_000, why: expect.stringContaining('mirror') },
    });
    const { outcome } = running.decider.decide({
      experimentId: 'coupon',
      unitId: 'u',
      context: new Map(),
      algorithm: null,
      eligibleArmIds: [],
      slots: 1,
    });
    expect(outcome.decision).toMatchObject({ reason: 'bandit', snapshotVersion: 4 });
  });

  it('logs what it decided meanwhile once the log is back, and follows it again', async () => {
    const { world, flaky } = await setUp();
    const running = await start(world, flaky.log, folder);
    await until(() => running.readiness().ready);
    const { body } = await post(running.httpPort, '/select_arm', ASK);
    await publish(world, snapshotOf(experiment(), { version: 6 }));
    flaky.away = false;
    await running.caughtUp;
    expect(running.readiness().origin).toBe('log');
    expect((await get(running.httpPort, '/metrics')).body).toMatch(/^croupier_decider_snapshot_version\{.*\} 6$/m);
    await running.stop();
    expect((await decisionsOn(world)).map(({ decisionId }) => decisionId)).toEqual([body.decision_id]);
  });

  it('is not ready, says why, and refuses as unavailable while it has nothing', async () => {
    const { world, flaky } = await setUp();
    const running = await start(world, flaky.log, join(folder, 'nothing'));
    expect(await get(running.httpPort, '/ready')).toMatchObject({
      status: 503,
      body: { status: 'not-ready', origin: 'none', why: expect.stringContaining('not been read') },
    });
    expect(await post(running.httpPort, '/select_arm', ASK)).toMatchObject({
      status: 503,
      body: { code: 'not-ready' },
    });
    flaky.away = false;
    await running.caughtUp;
    expect(await post(running.httpPort, '/select_arm', ASK)).toMatchObject({ status: 200 });
  });

  it('never goes back to what is mirrored when the log is ahead', async () => {
    const { world } = await setUp();
    await publish(world, snapshotOf(experiment(), { version: 8 }));
    const running = await start(world, world.log, folder);
    await running.caughtUp;
    await running.stop();
    const [mirrored] = await new DiskMirror(folder).load('snapshots', () => {});
    expect(mirrored!.rank).toEqual([8, 1]);
  });
});
