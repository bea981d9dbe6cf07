/** What the parts of the log's conformance suite share: the log under test, topics of its own, short ways to read. */
import { afterAll, beforeAll, expect } from 'vitest';
import type { CroupierError } from '../../services/core/errors.ts';
import type { AppendRecord, Log, LogReader, LogRecord, TopicSpec } from '../../services/platform/log/port.ts';
import { readToEnd } from '../../services/platform/log/read-to-end.ts';
import { uniqueName } from '../support/broker.ts';

export interface LogUnderTest {
  /** A connection to the one log of this run; no two at once. */
  open(): Log;
  /** Compacts a topic now; absent when the adapter cannot be told when. */
  compact?(log: Log, topic: string): void;
  /** Forgets everything when closed. */
  readonly isVolatile?: true;
}

/** One log for all tests of a describe block. */
export function sharedLog(underTest: LogUnderTest): () => Log {
  let log: Log;
  beforeAll(() => {
    log = underTest.open();
  });
  afterAll(() => log.close());
  return () => log;
}

export function topicSpec(spec: Partial<TopicSpec>): TopicSpec {
  return { topic: '', partitions: 1, cleanup: 'delete', retentionMs: null, recordBytesMax: 1_000_000, ...spec };
}

/** Each test has its own topics, so that a shared broker needs no cleaning. */
export async function createTopic(log: Log, spec: Partial<TopicSpec> = {}): Promise<string> {
  const topic = uniqueName('conformance');
  await log.admin.createTopics([topicSpec({ ...spec, topic })]);
  return topic;
}

export function record(key: string, value = 'value'): AppendRecord {
  return { key, value: Buffer.from(value) };
}

export function numbered(length: number): string[] {
  return Array.from({ length }, (_, i) => `${i}`);
}

export async function appendKeys(log: Log, topic: string, partition: number, keys: readonly string[]): Promise<void> {
  const writer = log.writer();
  const records = keys.map((key) => record(key));
  await writer.append({ topic, partition }, records);
  await writer.close();
}

export async function withReader(log: Log, use: (reader: LogReader) => Promise<void>): Promise<void> {
  const reader = log.reader();
  try {
    await use(reader);
  } finally {
    await reader.close();
  }
}

/** Polls until there are so many records, as `partition:key`. */
export async function take(reader: LogReader, wanted: number, maxRecords = 1_000): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < wanted) {
    const batches = await reader.poll({ maxRecords: Math.min(maxRecords, wanted - taken.length), waitMsMax: 10_000 });
    expect(batches, `nothing came after ${taken.join(' ')}`).not.toEqual([]);
    for (const { partition, records } of batches) taken.push(...records.map(({ key }) => `${partition}:${key}`));
  }
  return taken;
}

export async function readAll(log: Log, topic: string, partition = 0, offset = 0): Promise<LogRecord[]> {
  return (await collect(readToEnd(log, [{ topic, partition, offset }]))).flatMap(({ records }) => records);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  return Array.fromAsync(items);
}

/** The code with which it fails. */
export async function codeOf(failing: Promise<unknown>): Promise<string> {
  return failing.then(
    (result) => `no error, but ${JSON.stringify(result)}`,
    (error: CroupierError) => error.code,
  );
}
