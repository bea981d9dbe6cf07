import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ParametersSnapshot } from '../../services/core/deciding/snapshot.ts';
import type { ExperimentId } from '../../services/core/events.ts';
import { unaccounted } from '../../services/core/learning/counts.ts';
import type { EmbeddedLog } from '../../services/platform/embedded/log.ts';
import { CliWorld } from '../support/cli.ts';
import { decision, reward } from '../support/core.ts';
import { expectedOf, type Format, HISTORY_EXPERIMENT, madeHistory, writeHistory } from '../support/history.ts';
import { World } from '../support/world.ts';

const DAY_MS = 86_400_000;
const COUPON = 'coupon' as ExperimentId;
const LIMITS = {
  windowMs: 30 * DAY_MS,
  graceMs: DAY_MS,
  earlyGraceMs: DAY_MS,
  unitEventsMax: 200,
  unitSpanMs: DAY_MS,
};
const NOW_MS = Date.UTC(2026, 5, 1);
/** 50 days: longer than any window, and of most units more than one decision. */
const HISTORY = madeHistory(1_200, NOW_MS - DAY_MS);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-backfill-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

interface Installed {
  readonly world: World;
  readonly cli: CliWorld;
}

async function installed(): Promise<Installed> {
  const world = await World.create({ limits: LIMITS, nowMs: NOW_MS, partitions: 3 });
  const cli = new CliWorld(world.log as EmbeddedLog);
  cli.clock.nowMs = NOW_MS;
  cli.files.set('coupon.yaml', HISTORY_EXPERIMENT);
  await cli.json('experiments', 'apply', 'coupon.yaml');
  return { world, cli };
}

async function backfilled({ cli, world }: Installed, format: Format, betweenMs = 0): Promise<void> {
  const { decisions, rewards } = await writeHistory(folder, HISTORY, format);
  const coupon = ['--set', 'experiment=coupon'];
  const told = { rows: HISTORY.decisions.length, appended: HISTORY.decisions.length, refused: {} };
  expect(await cli.json('backfill', 'decisions', decisions, ...coupon)).toMatchObject(told);
  world.clock.nowMs += betweenMs;
  expect(await cli.json('backfill', 'rewards', rewards, ...coupon)).toMatchObject({ appended: HISTORY.rewards.length });
}

/** Learned from nothing but the log. */
async function snapshotOf(world: World): Promise<ParametersSnapshot> {
  return (await world.replay()).snapshots.get(COUPON)!;
}

function learnedOf({ arms }: ParametersSnapshot): Map<string, { pulls: number; sumR: number }> {
  return new Map(arms.map(({ armId, pulls, sumR }) => [armId as string, { pulls, sumR }]));
}

test('a past longer than the window is learned to the bit, though it is appended within a minute', async () => {
  const there = await installed();
  await backfilled(there, 'csv');
  expect(learnedOf(await snapshotOf(there.world))).toEqual(expectedOf(HISTORY));
});

test('CSV, NDJSON and Parquet of the same past are learned alike', async () => {
  const digests = new Set<string>();
  for (const format of ['csv', 'ndjson', 'parquet'] as const) {
    const there = await installed();
    await backfilled(there, format);
    digests.add((await snapshotOf(there.world)).digest);
  }
  expect(digests.size).toBe(1);
});

test('rewards may follow their decisions a month later', async () => {
  const there = await installed();
  await backfilled(there, 'ndjson', 30 * DAY_MS);
  expect(learnedOf(await snapshotOf(there.world))).toEqual(expectedOf(HISTORY));
});

test('a backfill that is repeated changes nothing that was learned, and its repeats are in the books', async () => {
  const there = await installed();
  await backfilled(there, 'csv');
  const { digest } = await snapshotOf(there.world);
  await backfilled(there, 'parquet');
  const { snapshots, counts } = await there.world.replay();
  expect(snapshots.get(COUPON)!.digest).toBe(digest);
  expect(counts.decisionsDuplicate).toBe(HISTORY.decisions.length);
  expect(counts.rewardsDuplicate).toBe(HISTORY.rewards.length);
  expect([unaccounted(counts, 'decisions'), unaccounted(counts, 'rewards')]).toEqual([0, 0]);
});

test('a learner that runs goes on from the past with what is live', async () => {
  const there = await installed();
  const { world } = there;
  const learner = await world.learner();
  await backfilled(there, 'csv');
  const atMs = NOW_MS;
  const live = { arms: ['ten'], unit: HISTORY.decisions.at(-1)!.unit, atMs };
  await world.send(
    { decision: decision(live) },
    { reward: reward({ unit: live.unit, atMs: atMs + 1, value: 4, metric: 'revenue' }) },
  );
  await world.learned();
  await learner.stop();
  const expected = expectedOf(HISTORY);
  expected.set('ten', { pulls: expected.get('ten')!.pulls + 1, sumR: expected.get('ten')!.sumR + 1 });
  const newest = (await world.snapshots(COUPON)).at(-1)!;
  expect(learnedOf(newest)).toEqual(expected);
  expect(newest.digest).toBe((await snapshotOf(world)).digest);
});
