import { execFile } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../../services/cli/commands/doctor.ts';
import { topicNames } from '../../services/contracts/keys.ts';
import { defineConfig } from '../../services/platform/config.ts';
import { CONNECTION_OPTIONS, kafkaOptions } from '../../services/platform/connection-config.ts';
import { KafkaLog } from '../../services/platform/kafka/log.ts';
import { createLogger } from '../../services/platform/logging.ts';
import { loadTopicSpecs } from '../../services/platform/topics.ts';
import { kafkaBrokers, uniqueName } from '../support/broker.ts';

const MAIN = new URL('../../services/cli/main.ts', import.meta.url).pathname;
const [GOOD, BAD] = ['well', 'ill'].map((name) => `${uniqueName(name)}.`) as [string, string];
const brokers = kafkaBrokers().join(',');
const values = defineConfig(CONNECTION_OPTIONS).parse({ env: process.env, flags: { brokers } });
const logger = createLogger({ name: 'test', level: 'silent' });
const log = new KafkaLog(kafkaOptions(values, { clientId: 'test', logger }));

beforeAll(async () => {
  await log.admin.createTopics(
    loadTopicSpecs(topicNames(BAD), { inputPartitions: 1 }).map((spec) =>
      spec.topic.endsWith('rewards')
        ? { ...spec, partitions: 2, retentionMs: 86_400_000 }
        : spec.topic.endsWith('snapshots')
          ? { ...spec, compactionLagMs: 0, recordBytesMax: 100_000 }
          : spec,
    ),
  );
});

afterAll(async () => {
  await log.admin.deleteTopics([...Object.values(topicNames(BAD)), ...Object.values(topicNames(GOOD))]);
  await log.close();
});

function croupier(prefix: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, KAFKA_BROKERS: brokers, CROUPIER_TOPIC_PREFIX: prefix };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], { env }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? 1, stdout, stderr });
    });
  });
}

test('a cluster that was set up is well: settings, schemas and clocks', async () => {
  expect(await croupier(GOOD, 'topics', 'create')).toMatchObject({ code: 0, stderr: '' });
  const { code, stdout, stderr } = await croupier(GOOD, 'doctor');
  expect({ code, stderr, stdout }).toEqual({
    code: 0,
    stderr: '',
    stdout: expect.stringContaining('14 checks, all well'),
  });
}, 60_000);

test('wrong settings of a real broker are found, each with its fix', async () => {
  const { code, stdout } = await croupier(BAD, 'doctor', '--json');
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  expect(code).toBe(1);
  const settings = findings.flatMap(({ fix }) => /--add-config (\S+)/.exec(fix ?? '')?.[1] ?? []);
  expect(settings).toEqual(['retention.ms=8467200000', 'max.message.bytes=1048576', 'min.compaction.lag.ms=3600000']);
  expect(findings.find(({ check }) => check === 'co-partitioning')?.outcome).toBe('wrong');
  expect(findings.filter(({ check }) => check.startsWith('schema ')).map(({ fix }) => fix)).toEqual(
    Array.from({ length: 6 }, () => 'croupier topics create'),
  );
  expect(findings.find(({ check }) => check === 'clocks')?.outcome).toBe('well');
}, 60_000);

test('a broker that does not answer is said in one line', async () => {
  const env = { ...process.env, KAFKA_BROKERS: '127.0.0.1:1', SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' };
  const { code, stdout } = await new Promise<{ code: number | null; stdout: string }>((resolve) => {
    const child = execFile(process.execPath, [MAIN, 'doctor', '--json'], { env }, (_error, out) =>
      resolve({ code: child.exitCode, stdout: out }),
    );
  });
  expect(code).toBe(1);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  expect(findings.map(({ check, outcome }) => [check, outcome])).toEqual([
    ['topics', 'wrong'],
    ['schemas', 'wrong'],
    ['clocks', 'wrong'],
  ]);
}, 120_000);
