import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EmbeddedLog } from '../../../../services/platform/embedded/log.ts';
import type { TopicSpec } from '../../../../services/platform/log/port.ts';
import { readToEnd } from '../../../../services/platform/log/read-to-end.ts';

const SPEC: TopicSpec = {
  topic: 'events',
  partitions: 1,
  cleanup: 'delete',
  retentionMs: null,
  recordBytesMax: 10_000,
};

let folder: string;
let nowMs: number;
const segment = (): string => join(folder, 'events', '0.log');
const open = (): EmbeddedLog => new EmbeddedLog({ folder, now: () => nowMs });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'croupier-embedded-'));
  nowMs = 1_000;
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('embedded log in a folder', () => {
  test('an append that a crash cut short is cut off, and the next one takes its place', async () => {
    await write(['a'], ['b', 'c']);
    truncateSync(segment(), readFileSync(segment()).length - 1);
    expect(await keys()).toEqual(['0 a']);
    await append(['d']);
    expect(await keys()).toEqual(['0 a', '1 d']);
  });

  test.each([1, 7, 8, 20])('%d stray bytes at the end are cut off', async (strayBytes) => {
    await write(['a']);
    appendFileSync(segment(), Buffer.alloc(strayBytes, 0x7f));
    expect(await keys()).toEqual(['0 a']);
    await append(['b']);
    expect(await keys()).toEqual(['0 a', '1 b']);
  });

  test('damage before the end stops the log loudly', async () => {
    await write(['a'], ['b']);
    const bytes = readFileSync(segment());
    bytes[40]! ^= 1;
    writeFileSync(segment(), bytes);
    expect(open).toThrow(/0\.log is damaged at byte 28/);
  });

  test('a damaged header stops the log loudly', async () => {
    await write(['a']);
    const bytes = readFileSync(segment());
    bytes[15]! ^= 1;
    writeFileSync(segment(), bytes);
    expect(open).toThrow(/sound CRPLOG01 header/);
  });

  test('a killed process loses nothing that was appended', async () => {
    const killed = open();
    await killed.admin.createTopics([SPEC]);
    await killed.writer().append({ topic: 'events', partition: 0 }, [{ key: 'a', value: null }]);
    // Never closed.
    expect(await keys()).toEqual(['0 a']);
  });

  test('a topic half created is none, and can be created', async () => {
    await write(['a']);
    rmSync(join(folder, 'events', 'topic.json'));
    const log = open();
    expect(await log.admin.partitionCount('events')).toBeNull();
    await log.admin.createTopics([SPEC]);
    expect(await log.admin.offsets('events')).toEqual([{ start: 0, end: 0 }]);
    await log.close();
  });

  test('what is older than the retention is dropped at open, and offsets go on', async () => {
    const log = open();
    await log.admin.createTopics([{ ...SPEC, retentionMs: 100 }]);
    await log.close();
    await append(['a']);
    nowMs += 80;
    await append(['b']);
    nowMs += 50;
    expect(await keys()).toEqual(['1 b']);
    nowMs += 1_000;
    expect(await keys()).toEqual([]);
    const emptied = open();
    expect(await emptied.admin.offsets('events')).toEqual([{ start: 2, end: 2 }]);
    await emptied.close();
    await append(['c']);
    expect(await keys()).toEqual(['2 c']);
  });

  test('compaction lasts, and leaves no other file behind', async () => {
    const log = open();
    await log.admin.createTopics([{ ...SPEC, cleanup: 'compact' }]);
    await log.close();
    await append(['a', 'b', 'a']);
    const compacted = open();
    compacted.compact('events');
    await compacted.close();
    expect(readdirSync(join(folder, 'events')).sort()).toEqual(['0.log', 'topic.json']);
    expect(await keys()).toEqual(['1 b', '2 a']);
    await append(['c']);
    expect(await keys()).toEqual(['1 b', '2 a', '3 c']);
  });
});

describe('append time', () => {
  test('is what the clock says, even when it steps back', async () => {
    const log = new EmbeddedLog({ folder: null, now: () => nowMs });
    await log.admin.createTopics([SPEC]);
    const writer = log.writer();
    for (const timeMs of [500, 300, 700]) {
      nowMs = timeMs;
      await writer.append({ topic: 'events', partition: 0 }, [{ key: `${timeMs}`, value: null }]);
    }
    const batches = await Array.fromAsync(readToEnd(log, [{ topic: 'events', partition: 0, offset: 0 }]));
    const times = batches.flatMap(({ records }) => records.map(({ appendTimeMs }) => appendTimeMs));
    expect(times).toEqual([500, 300, 700]);
    expect(await log.admin.offsetsAt('events', 400)).toEqual([0]);
    expect(await log.admin.offsetsAt('events', 600)).toEqual([2]);
    expect(await log.admin.offsetsAt('events', 800)).toEqual([3]);
    await log.close();
  });
});

/** Each list of keys one append. */
async function write(...appends: string[][]): Promise<void> {
  const log = open();
  await log.admin.createTopics([SPEC]);
  await log.close();
  for (const keysOfAppend of appends) await append(keysOfAppend);
}

async function append(keysOfAppend: string[]): Promise<void> {
  const log = open();
  const records = keysOfAppend.map((key) => ({ key, value: Buffer.from(key) }));
  await log.writer().append({ topic: 'events', partition: 0 }, records);
  await log.close();
}

async function keys(): Promise<string[]> {
  const log = open();
  const batches = await Array.fromAsync(readToEnd(log, [{ topic: 'events', partition: 0, offset: 0 }]));
  await log.close();
  return batches.flatMap(({ records }) => records.map(({ offset, key }) => `${offset} ${key}`));
}
