/** What the Kafka adapter must bear that the embedded log never shows: foreign producers, aborts, absent brokers. */
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import { zstdCompressSync } from 'node:zlib';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CroupierError } from '../../../services/core/errors.ts';
import { KafkaLog } from '../../../services/platform/kafka/log.ts';
import { readToEnd } from '../../../services/platform/log/read-to-end.ts';
import { kafkaBrokers, uniqueName } from '../../support/broker.ts';

const noDecompress = () => Promise.reject(new Error('nothing is read by kafkajs here'));
const zstd = { compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer), decompress: noDecompress };
/** One literal: enough for what takes less than 60 bytes. Source: google/snappy, format_description.txt. */
const snappy = {
  compress: async ({ buffer }: { buffer: Buffer }) =>
    Buffer.concat([Buffer.of(buffer.length, (buffer.length - 1) << 2), buffer]),
  decompress: noDecompress,
};
// kafkajs brings gzip alone.
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => zstd;
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.Snappy] = () => snappy;

const silent = { warn: () => {}, debug: () => {} };
let log: KafkaLog;
let foreign: InstanceType<typeof kafkajs.Kafka>;

beforeAll(() => {
  log = new KafkaLog({ brokers: kafkaBrokers(), clientId: 'hazards', logger: silent });
  foreign = new kafkajs.Kafka({ brokers: kafkaBrokers(), logLevel: kafkajs.logLevel.NOTHING });
});
afterAll(() => log.close());

describe('foreign producers', () => {
  test('aborted transactions are never read, and their offsets are passed', async () => {
    const topic = await createTopic();
    const producer = foreign.producer({ transactionalId: uniqueName('tx'), idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (const [key, isKept] of [
      ['a', true],
      ['b', false],
      ['c', true],
      ['d', false],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ key, value: 'x' }] });
      await (isKept ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    // That a transaction is over stands on the log after its end was answered.
    while ((await log.admin.offsets(topic))[0]!.end < 8);
    const batches = await Array.fromAsync(readToEnd(log, [{ topic, partition: 0, offset: 0 }]));
    expect(batches.flatMap(({ records }) => records.map(({ key }) => key))).toEqual(['a', 'c']);
    expect(batches.at(-1)!.nextOffset).toBe(8);
  });

  test.each([
    ['gzip', kafkajs.CompressionTypes.GZIP],
    ['zstd', kafkajs.CompressionTypes.ZSTD],
  ])('%s is read', async (_name, codec) => {
    const topic = await createTopic();
    await sendForeign(topic, codec);
    const batches = await Array.fromAsync(readToEnd(log, [{ topic, partition: 0, offset: 0 }]));
    expect(batches.flatMap(({ records }) => records.map(({ key }) => key))).toEqual(['a']);
  });

  test('snappy is refused, saying what to do', async () => {
    const topic = await createTopic();
    await sendForeign(topic, kafkajs.CompressionTypes.Snappy);
    const reading = Array.fromAsync(readToEnd(log, [{ topic, partition: 0, offset: 0 }]));
    await expect(reading).rejects.toThrow(/snappy; produce with none, gzip or zstd/);
  });

  test("a topic that keeps producers' times is refused", async () => {
    const topic = uniqueName('create-time');
    const admin = foreign.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries: [] }] });
    await admin.disconnect();
    await sendForeign(topic, kafkajs.CompressionTypes.None);
    const reading = Array.fromAsync(readToEnd(log, [{ topic, partition: 0, offset: 0 }]));
    expect(await codeOf(reading)).toBe('not-append-time');
  });

  test('an offset that retention has dropped reads on from the start of the log', async () => {
    const topic = await createTopic();
    const writer = log.writer();
    for (const key of ['a', 'b', 'c']) await writer.append({ topic, partition: 0 }, [{ key, value: null }]);
    const admin = foreign.admin();
    await admin.connect();
    await admin.fetchTopicOffsets(topic); // Or kafkajs does not know where to send the next request.
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
    await admin.disconnect();
    expect(await log.admin.offsets(topic)).toEqual([{ start: 2, end: 3 }]);
    const batches = await Array.fromAsync(readToEnd(log, [{ topic, partition: 0, offset: 0 }]));
    expect(batches.flatMap(({ records }) => records.map(({ offset }) => offset))).toEqual([2]);
  });
});

describe('an absent broker', () => {
  let mute: Server;
  let away: KafkaLog;

  /** Hangs up on everyone, as a broker does that is going down. */
  beforeAll(async () => {
    mute = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const address = mute.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    away = new KafkaLog({ brokers: [`127.0.0.1:${address.port}`], clientId: 'hazards', logger: silent });
  });
  afterAll(async () => {
    await away.close();
    mute.close();
  });

  test('every call says unavailable, within its time', async () => {
    const topic = 'any';
    expect(await codeOf(away.admin.offsets(topic))).toBe('log-unavailable');
    expect(await codeOf(away.writer().append({ topic, partition: 0 }, [{ key: 'a', value: null }]))).toBe(
      'log-unavailable',
    );
    const reader = away.reader();
    reader.assign([{ topic, partition: 0, offset: 0 }]);
    expect(await codeOf(reader.poll({ maxRecords: 1, waitMsMax: 30_000 }))).toBe('log-unavailable');
    // And again: a failure does not use the reader up.
    expect(await codeOf(reader.poll({ maxRecords: 1, waitMsMax: 30_000 }))).toBe('log-unavailable');
  });

  test('appends queued behind one without an answer fail with it, so that none overtakes', async () => {
    const writer = away.writer();
    const appends = ['a', 'b', 'c'].map((key) => writer.append({ topic: 'any', partition: 0 }, [{ key, value: null }]));
    const errors = await Promise.allSettled(appends);
    expect(new Set(errors.map((outcome) => outcome.status === 'rejected' && outcome.reason)).size).toBe(1);
  });
});

test('neither Node nor kafkajs prints anything', async () => {
  const topic = await createTopic();
  const script = `
    const { KafkaLog } = await import('./services/platform/kafka/log.ts');
    const log = new KafkaLog({ brokers: ${JSON.stringify(kafkaBrokers())}, clientId: 'quiet', logger: { warn() {}, debug() {} } });
    const topic = '${topic}';
    await log.writer().append({ topic, partition: 0 }, [{ key: 'a', value: null }]);
    const membership = log.membership();
    const handlers = { assigned: async () => {}, revoked: async () => {} };
    await membership.join({ groupId: topic, topic, sessionTimeoutMs: 6000, handlers });
    const reader = log.reader();
    reader.assign([{ topic, partition: 0, offset: 0 }]);
    await reader.poll({ maxRecords: 1, waitMsMax: 5000 });
    await log.admin.partitionCount('absent');
    await log.close();`;
  const args = ['--input-type=module', '--trace-warnings', '--eval', script];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  expect(stdout + stderr).toBe('');
});

async function createTopic(): Promise<string> {
  const topic = uniqueName('hazards');
  const spec = { topic, partitions: 1, cleanup: 'delete', retentionMs: null, recordBytesMax: 1_000_000 } as const;
  await log.admin.createTopics([spec]);
  return topic;
}

async function sendForeign(topic: string, compression: number): Promise<void> {
  const producer = foreign.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, compression, messages: [{ key: 'a', value: 'x', partition: 0 }] });
  await producer.disconnect();
}

async function codeOf(failing: Promise<unknown>): Promise<string> {
  return failing.then(
    (result) => `no error, but ${JSON.stringify(result)}`,
    (error: CroupierError) => error.code,
  );
}
