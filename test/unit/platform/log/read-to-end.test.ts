import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmbeddedLog } from '../../../../services/platform/embedded/log.ts';
import { readToEnd } from '../../../../services/platform/log/read-to-end.ts';
import { overriding } from '../../../support/overriding.ts';

const TOPIC = 'events';
let log: EmbeddedLog;

beforeEach(async () => {
  log = new EmbeddedLog({ folder: null, now: () => 0 });
  await log.admin.createTopics([
    { topic: TOPIC, partitions: 2, cleanup: 'delete', retentionMs: null, recordBytesMax: 10_000 },
  ]);
});
afterEach(() => log.close());

test('a record appended between the look at the ends and the reading is left out', async () => {
  await append(0, ['a', 'b']);
  const racing = overriding(log, {
    reader: () => {
      void append(0, ['too late']);
      return log.reader();
    },
  });
  const batches = await Array.fromAsync(readToEnd(racing, [{ topic: TOPIC, partition: 0, offset: 0 }]));
  expect(batches.flatMap(({ records }) => records.map(({ key }) => key))).toEqual(['a', 'b']);
  expect(batches.at(-1)!.nextOffset).toBe(2);
});

test('partitions that are at their end, or start beyond it, yield nothing', async () => {
  await append(0, ['a']);
  const from = [
    { topic: TOPIC, partition: 0, offset: 1 },
    { topic: TOPIC, partition: 1, offset: 5 },
  ];
  expect(await Array.fromAsync(readToEnd(log, from))).toEqual([]);
});

test('a partition that does not exist is refused', async () => {
  const reading = readToEnd(log, [{ topic: TOPIC, partition: 2, offset: 0 }]);
  await expect(reading.next()).rejects.toThrow('there is no partition events/2');
});

async function append(partition: number, keys: readonly string[]): Promise<void> {
  const records = keys.map((key) => ({ key, value: null }));
  await log.writer().append({ topic: TOPIC, partition }, records);
}
