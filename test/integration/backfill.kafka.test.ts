import { execFile, spawn } from 'node:child_process';
import { watch } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCodecs } from '../../services/contracts/codec.ts';
import { topicNames } from '../../services/contracts/keys.ts';
import type { ExperimentId } from '../../services/core/events.ts';
import { unaccounted } from '../../services/core/learning/counts.ts';
import { defineConfig } from '../../services/platform/config.ts';
import { CONNECTION_OPTIONS, kafkaOptions, registryOptions } from '../../services/platform/connection-config.ts';
import { JOIN_OPTIONS, joinLimits } from '../../services/platform/join/limits-config.ts';
import { KafkaLog } from '../../services/platform/kafka/log.ts';
import { createLogger } from '../../services/platform/logging.ts';
import { openRegistrySource } from '../../services/platform/registry/source.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { replay } from '../../services/replay/replay.ts';
import { kafkaBrokers, uniqueName } from '../support/broker.ts';
import { expectedOf, HISTORY_EXPERIMENT, madeHistory, writeHistory } from '../support/history.ts';

const MAIN = new URL('../../services/cli/main.ts', import.meta.url).pathname;
const PREFIX = `${uniqueName('backfill')}.`;
const PARTITIONS = 3;
/** More than two of the chunks after which a position is written. */
const DECISIONS = 12_000;

const topics = topicNames(PREFIX);
const brokers = kafkaBrokers().join(',');
const values = defineConfig({ ...CONNECTION_OPTIONS, ...JOIN_OPTIONS }).parse({ env: process.env, flags: { brokers } });
const logger = createLogger({ name: 'test', level: 'silent' });
const log = new KafkaLog(kafkaOptions(values, { clientId: 'test', logger }));
const env = { ...process.env, KAFKA_BROKERS: brokers, CROUPIER_TOPIC_PREFIX: PREFIX };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-backfill-'));
  await writeFile(join(folder, 'coupon.yaml'), HISTORY_EXPERIMENT);
  await croupier('topics', 'create', '--partitions', String(PARTITIONS));
  await croupier('experiments', 'apply', 'coupon.yaml');
});

afterAll(async () => {
  await log.admin.deleteTopics(Object.values(topics));
  await log.close();
  await rm(folder, { recursive: true });
});

/** @throws unless it exits with 0. */
async function croupier(...args: string[]): Promise<Record<string, unknown>> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [MAIN, ...args, '--json'], { env, cwd: folder });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Kills a backfill as soon as its position is there. */
async function killedAtPosition(args: readonly string[], position: string): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, [MAIN, ...args], { env, cwd: folder, stdio: 'ignore' });
  const watcher = watch(folder, (_, name) => {
    if (name === position) child.kill('SIGKILL');
  });
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, by) => resolve(by)));
  watcher.close();
  return signal;
}

test('a backfill that is killed half-way is gone on with, and all of it is learned once, to the bit', async () => {
  const history = madeHistory(DECISIONS, Date.now() - 86_400_000);
  const { decisions, rewards } = await writeHistory(folder, history, 'parquet');
  const coupon = ['--set', 'experiment=coupon'];
  const args = ['backfill', 'decisions', decisions, ...coupon, '--position', 'position.json'];

  expect(await killedAtPosition(args, 'position.json')).toBe('SIGKILL');
  const rest = await croupier(...args);
  expect(rest).toMatchObject({ rows: DECISIONS, good: DECISIONS, refused: {} });
  expect(Number(rest.appendedBefore) + Number(rest.appended)).toBe(DECISIONS);
  expect(rest.appendedBefore).toBeGreaterThanOrEqual(5_000);
  const told = await croupier('backfill', 'rewards', rewards, ...coupon);
  expect(told).toMatchObject({ appended: history.rewards.length, refused: {} });

  const { snapshots, counts } = await replay({
    ...{ log, topics, limits: joinLimits(values), pollRecordsMax: 5_000 },
    codecs: createCodecs(await openRegistrySource(registryOptions(values), topics), topics),
    openStore: async () => new MemoryStore(),
  });
  const { arms } = snapshots.get('coupon' as ExperimentId)!;
  expect(new Map(arms.map(({ armId, pulls, sumR }) => [armId as string, { pulls, sumR }]))).toEqual(
    expectedOf(history),
  );
  expect(counts.decisionsIn - counts.decisionsDuplicate).toBe(DECISIONS);
  expect(counts).toMatchObject({ rewardsIn: history.rewards.length, decisionsDeadLettered: 0, rewardsDeadLettered: 0 });
  expect([unaccounted(counts, 'decisions'), unaccounted(counts, 'rewards')]).toEqual([0, 0]);
}, 180_000);
