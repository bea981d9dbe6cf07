import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCodecs } from '../../services/contracts/codec.ts';
import { topicNames } from '../../services/contracts/keys.ts';
import { sealSnapshot } from '../../services/contracts/seal.ts';
import { decide } from '../../services/core/deciding/decide.ts';
import { serve } from '../../services/core/deciding/served.ts';
import type { DecisionId, UnitId } from '../../services/core/events.ts';
import { MergedSums } from '../../services/core/learning/merge.ts';
import { defineConfig } from '../../services/platform/config.ts';
import { CONNECTION_OPTIONS, kafkaOptions, registryOptions } from '../../services/platform/connection-config.ts';
import { ExperimentStore } from '../../services/platform/experiment-store.ts';
import { KafkaLog } from '../../services/platform/kafka/log.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import { createLogger } from '../../services/platform/logging.ts';
import { openRegistrySource } from '../../services/platform/registry/source.ts';
import { kafkaBrokers, uniqueName } from '../support/broker.ts';

const MAIN = new URL('../../services/cli/main.ts', import.meta.url).pathname;
const PREFIX = `${uniqueName('cli')}.`;
const FILE = `id: coupon
arms: [none, five, ten]
policy: { kind: beta-ts }
reward: { metrics: { revenue: { fold: sum } }, min: 0, max: 100 }
attribution: { window: 30d }
`;

const topics = topicNames(PREFIX);
const brokers = kafkaBrokers().join(',');
const values = defineConfig(CONNECTION_OPTIONS).parse({ env: process.env, flags: { brokers } });
const log = new KafkaLog(
  kafkaOptions(values, { clientId: 'test', logger: createLogger({ name: 'test', level: 'silent' }) }),
);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-cli-'));
});

afterAll(async () => {
  await log.admin.deleteTopics(Object.values(topics));
  await log.close();
  await rm(folder, { recursive: true });
});

function croupier(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, KAFKA_BROKERS: brokers, CROUPIER_TOPIC_PREFIX: PREFIX };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], { env, cwd: folder }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? 1, stdout, stderr });
    });
  });
}

test('the command sets up a cluster once, and refuses to set it up otherwise', async () => {
  const first = await croupier('topics', 'create', '--partitions', '3', '--json');
  expect(first).toMatchObject({ code: 0, stderr: '' });
  const created = JSON.parse(first.stdout) as { topics: { created: boolean }[]; schemas: { id: number }[] };
  expect(created.topics.map((topic) => topic.created)).toEqual(Array(6).fill(true));
  expect(await log.admin.partitionCount(topics.decisions)).toBe(3);

  const again = JSON.parse(
    (await croupier('topics', 'create', '--partitions', '3', '--json')).stdout,
  ) as typeof created;
  expect(again.topics.map((topic) => topic.created)).toEqual(Array(6).fill(false));
  expect(again.schemas).toEqual(created.schemas);

  const otherwise = await croupier('topics', 'create', '--partitions', '5');
  expect(otherwise).toMatchObject({ code: 1, stderr: expect.stringMatching(/^topic-mismatch: .* has 3 partitions/) });
});

test('a definition goes from a file to the log and back', async () => {
  await writeFile(join(folder, 'coupon.yaml'), FILE);
  expect((await croupier('experiments', 'apply', 'coupon.yaml')).stdout).toBe('coupon: created, version 1\n');
  await writeFile(join(folder, 'coupon.yaml'), `${FILE}floor: 0.1\n`);
  expect((await croupier('experiments', 'apply', 'coupon.yaml')).stdout).toContain('floor: 0.01 → 0.1');
  expect((await croupier('experiments', 'apply', 'coupon.yaml')).stdout).toBe('coupon: unchanged, version 2\n');
  const { experiments } = JSON.parse((await croupier('experiments', 'list', '--json')).stdout);
  expect(experiments).toMatchObject([{ id: 'coupon', version: 2, floor: 0.1 }]);
  expect(experiments[0].appliedAtMs[0]).toBeLessThan(experiments[0].appliedAtMs[1]);
});

test('a decision on the log is explained to the bit', async () => {
  const codecs = createCodecs(await openRegistrySource(registryOptions(values), topics), topics);
  const { experiments: topic } = topics;
  const store = new ExperimentStore({ log, topic, codec: codecs.experiment, onRefused: () => {} });
  const definition = [...(await store.read()).newest.values()][0]!;
  const snapshot = sealSnapshot(definition, new MergedSums(), new Map([[0, { decisions: 7, rewards: 0 }]]));
  const madeMs = Date.now().toString(16).padStart(12, '0');
  const decisionId = `${madeMs.slice(0, 8)}-${madeMs.slice(8)}-7000-8000-000000000001` as DecisionId;
  const request = { unitId: '42' as UnitId, context: new Map(), algorithm: null, eligibleArmIds: null, slots: 1 };
  const { decision } = decide(serve(definition, snapshot), request, { decisionId, decidedAtMs: Date.now() });
  await append(topics.snapshots, definition.id, codecs.snapshot.encode(snapshot));
  await append(topics.decisions, decision.unitId, codecs.decision.encode(decision));

  const { code, stdout } = await croupier('explain', decisionId, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ agrees: true, decision: JSON.parse(JSON.stringify(decision)) });
});

async function append(topic: string, key: string, value: Buffer): Promise<void> {
  const writer = log.writer();
  const partition = partitionOf(key, (await log.admin.partitionCount(topic))!);
  await writer.append({ topic, partition }, [{ key, value }]);
  await writer.close();
}

test.each([
  ['Kafka', ['--brokers', '127.0.0.1:1', 'experiments', 'list'], /^log-unavailable: .*127\.0\.0\.1:1/],
  [
    'the registry',
    ['--registry', 'http://127.0.0.1:1', 'experiments', 'list'],
    /^registry-unavailable: .*127\.0\.0\.1:1/,
  ],
  ['the decider', ['--decider', 'http://127.0.0.1:1', 'stats'], /^decider-unavailable: .*127\.0\.0\.1:1/],
])('%s being away is one clear line', async (_, args, message) => {
  const { code, stdout, stderr } = await croupier(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
});
