import { describe, expect, it } from 'vitest';
import { type CroupierError, Invalid, Unavailable } from '../../../../services/core/errors.ts';
import { EmbeddedLog } from '../../../../services/platform/embedded/log.ts';
import { BatchAppender, type BatchAppenderOptions } from '../../../../services/platform/log/batch-appender.ts';
import { readToEnd, startOf } from '../../../../services/platform/log/read-to-end.ts';
import { awayable, until } from '../../../support/decider.ts';

const TOPIC = 'events';

async function setUp(overrides: Partial<BatchAppenderOptions> = {}) {
  const embedded = new EmbeddedLog({ folder: null, now: () => 0 });
  await embedded.admin.createTopics([
    { topic: TOPIC, partitions: 2, cleanup: 'delete', retentionMs: null, recordBytesMax: 2_000 },
  ]);
  const flaky = awayable(embedded);
  const lost: { records: number; error: CroupierError }[] = [];
  let tries = 0;
  const appender = new BatchAppender({
    log: flaky.log,
    topic: TOPIC,
    lingerMs: 1,
    bufferRecordsMax: 100,
    bufferBytesMax: 1_000_000,
    observer: { unavailable: () => tries++, lost: (records, error) => lost.push({ records, error }) },
    ...overrides,
  });
  const onLog = async () => {
    const values: string[] = [];
    for await (const { records } of readToEnd(embedded, await startOf(embedded, TOPIC))) {
      for (const { value } of records) values.push(value!.toString());
    }
    return values;
  };
  return { appender, flaky, lost, onLog, tries: () => tries };
}

const bytes = (text: string) => Buffer.from(text);

describe('a batch appender', () => {
  it('appends what it took, in order for each key, and says when it is there', async () => {
    const { appender, onLog } = await setUp();
    for (let i = 0; i < 50; i++) expect(appender.offer('one unit', bytes(`${i}`))).toBe(true);
    await appender.append('one unit', bytes('last'));
    expect(await onLog()).toEqual([...Array.from({ length: 50 }, (_, i) => `${i}`), 'last']);
    expect(appender.depth).toBe(0);
    await appender.stop({ flushMsMax: 1_000 });
  });

  it('tells where a record is once it is in the log', async () => {
    const { appender } = await setUp();
    const places: unknown[] = [];
    for (let i = 0; i < 3; i++) appender.offer('one unit', bytes(`${i}`), (place) => places.push(place));
    expect(places).toEqual([]);
    await appender.append('one unit', bytes('last'));
    const { partition } = places[0] as { partition: number };
    expect(places).toEqual([0, 1, 2].map((offset) => ({ partition, offset })));
    await appender.stop({ flushMsMax: 1_000 });
  });

  it('keeps what it has while the log is away and appends it in order when it is back', async () => {
    const { appender, flaky, onLog, tries, lost } = await setUp();
    flaky.away = true;
    for (let i = 0; i < 10; i++) appender.offer('u', bytes(`${i}`));
    await until(() => tries() > 0);
    expect(appender.depth).toBe(10);
    flaky.away = false;
    await until(() => appender.depth === 0);
    expect(await onLog()).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
    expect(lost).toEqual([]);
    await appender.stop({ flushMsMax: 1_000 });
  });

  it('refuses at once what there is no room for, by count and by bytes', async () => {
    const { appender, flaky } = await setUp({ bufferRecordsMax: 3, bufferBytesMax: 10 });
    flaky.away = true;
    expect(appender.offer('u', bytes('12345678901'))).toBe(false);
    expect([1, 2, 3].map(() => appender.offer('u', bytes('x')))).toEqual([true, true, true]);
    expect(appender.offer('u', bytes('x'))).toBe(false);
    await expect(appender.append('u', bytes('x'))).rejects.toThrow(Unavailable);
    await appender.stop({ flushMsMax: 0 });
  });

  it('loses only the record that the log refuses, not its neighbours', async () => {
    const { appender, onLog, lost } = await setUp();
    for (let i = 0; i < 5; i++) appender.offer('u', bytes(`${i}`));
    const refused = appender.append('u', Buffer.alloc(5_000));
    for (let i = 5; i < 9; i++) appender.offer('u', bytes(`${i}`));
    await expect(refused).rejects.toMatchObject({ code: 'record-too-large' });
    await appender.stop({ flushMsMax: 1_000 });
    expect(await onLog()).toEqual(Array.from({ length: 9 }, (_, i) => `${i}`));
    expect(lost.map(({ records, error }) => [records, error instanceof Invalid])).toEqual([[1, true]]);
  });

  it('puts on the log what it holds when it is stopped', async () => {
    const { appender, onLog } = await setUp({ lingerMs: 60_000 });
    appender.offer('u', bytes('held'));
    await appender.stop({ flushMsMax: 1_000 });
    expect(await onLog()).toEqual(['held']);
    expect(appender.offer('u', bytes('too late'))).toBe(false);
  });

  it('counts as lost what is not on the log when stopping has taken too long', async () => {
    const { appender, flaky, lost } = await setUp();
    flaky.away = true;
    appender.offer('u', bytes('held'));
    const held = appender.append('u', bytes('awaited'));
    const refused = expect(held).rejects.toMatchObject({ code: 'not-flushed' });
    await appender.stop({ flushMsMax: 20 });
    await refused;
    expect(lost.map(({ records, error }) => [records, error.code])).toEqual([[2, 'not-flushed']]);
  });

  it('starts while the log is away, before it knows how many partitions there are', async () => {
    const { flaky, appender, onLog, tries } = await setUp();
    flaky.away = true;
    appender.offer('u', bytes('early'));
    await until(() => tries() > 1);
    flaky.away = false;
    await appender.append('u', bytes('late'));
    expect(await onLog()).toEqual(['early', 'late']);
    await appender.stop({ flushMsMax: 1_000 });
  });
});
