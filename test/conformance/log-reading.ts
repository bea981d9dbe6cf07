/** What every adapter promises of reading; a part of the suite in log.ts. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readToEnd } from '../../services/platform/log/read-to-end.ts';
import {
  appendKeys,
  codeOf,
  createTopic,
  type LogUnderTest,
  numbered,
  readAll,
  sharedLog,
  take,
  withReader,
} from './log-fixtures.ts';

export function describeReading(underTest: LogUnderTest): void {
  describe('reading', () => {
    const log = sharedLog(underTest);

    test('assign reads from the chosen offset, and replaces what was assigned', async () => {
      const topic = await createTopic(log(), { partitions: 2 });
      await appendKeys(log(), topic, 0, ['a', 'b', 'c']);
      await appendKeys(log(), topic, 1, ['x', 'y', 'z']);
      await withReader(log(), async (reader) => {
        reader.assign([{ topic, partition: 0, offset: 1 }]);
        expect(await take(reader, 2)).toEqual(['0:b', '0:c']);
        reader.assign([{ topic, partition: 1, offset: 2 }]);
        expect(await take(reader, 1)).toEqual(['1:z']);
        await appendKeys(log(), topic, 0, ['not assigned']);
        await appendKeys(log(), topic, 1, ['last']);
        expect(await take(reader, 1)).toEqual(['1:last']);
      });
    });

    test('seek moves one partition back or forth and drops what was read ahead', async () => {
      const topic = await createTopic(log(), { partitions: 2 });
      for (const partition of [0, 1]) await appendKeys(log(), topic, partition, ['a', 'b', 'c', 'd']);
      await withReader(log(), async (reader) => {
        reader.assign([0, 1].map((partition) => ({ topic, partition, offset: 0 })));
        // The rest is read ahead.
        await take(reader, 2, 1);
        reader.seek({ topic, partition: 0, offset: 3 });
        reader.seek({ topic, partition: 1, offset: 0 });
        expect((await take(reader, 5)).sort()).toEqual(['0:d', '1:a', '1:b', '1:c', '1:d']);
      });
    });

    test('an answer to what was asked before a seek is not taken for an answer to what is asked after it', async () => {
      const topic = await createTopic(log());
      await appendKeys(log(), topic, 0, ['a', 'b', 'c']);
      await withReader(log(), async (reader) => {
        reader.assign([{ topic, partition: 0, offset: 3 }]);
        expect(await reader.poll({ maxRecords: 10, waitMsMax: 20 })).toEqual([]);
        // A broker is still being asked for offset 3.
        reader.seek({ topic, partition: 0, offset: 0 });
        await appendKeys(log(), topic, 0, ['d']);
        expect(await take(reader, 4)).toEqual(['0:a', '0:b', '0:c', '0:d']);
      });
    });

    test('a poll gives no more records than asked for, and a partition no more than one batch', async () => {
      const topic = await createTopic(log(), { partitions: 3 });
      for (const partition of [0, 1, 2]) await appendKeys(log(), topic, partition, numbered(30));
      await withReader(log(), async (reader) => {
        reader.assign([0, 1, 2].map((partition) => ({ topic, partition, offset: 0 })));
        for (let read = 0; read < 90; ) {
          const batches = await reader.poll({ maxRecords: 7, waitMsMax: 10_000 });
          const counts = batches.map(({ records }) => records.length);
          const total = counts.reduce((sum, count) => sum + count, 0);
          expect(total).toBeLessThanOrEqual(7);
          expect(new Set(batches.map(({ partition }) => partition)).size).toBe(batches.length);
          for (const { records, nextOffset } of batches) expect(nextOffset).toBe(records.at(-1)!.offset + 1);
          read += total;
        }
      });
    });

    test('of several partitions, what was appended first is read first', async () => {
      const topic = await createTopic(log(), { partitions: 3 });
      for (let round = 0; round < 10; round++) {
        for (const partition of [2, 0, 1]) await appendKeys(log(), topic, partition, numbered(3));
        await nextMillisecond();
      }
      await withReader(log(), async (reader) => {
        reader.assign([0, 1, 2].map((partition) => ({ topic, partition, offset: 0 })));
        const times: number[] = [];
        while (times.length < 90) {
          const batches = await reader.poll({ maxRecords: 1, waitMsMax: 10_000 });
          times.push(...batches.flatMap(({ records }) => records.map(({ appendTimeMs }) => appendTimeMs)));
        }
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        expect(new Set(times).size).toBeGreaterThanOrEqual(10);
      });
    });

    test('a poll with nothing to read comes back empty after its wait, a waiting one wakes on an append', async () => {
      const topic = await createTopic(log());
      await withReader(log(), async (reader) => {
        reader.assign([{ topic, partition: 0, offset: 0 }]);
        expect(await reader.poll({ maxRecords: 10, waitMsMax: 50 })).toEqual([]);
        const waiting = reader.poll({ maxRecords: 10, waitMsMax: 60_000 });
        await appendKeys(log(), topic, 0, ['wake']);
        expect((await waiting).flatMap(({ records }) => records.map(({ key }) => key))).toEqual(['wake']);
      });
    });

    test('two readers of one partition each read all of it', async () => {
      const topic = await createTopic(log());
      await appendKeys(log(), topic, 0, ['a', 'b']);
      const [one, two] = await Promise.all([readAll(log(), topic), readAll(log(), topic)]);
      expect(one).toEqual(two);
      expect(one.map(({ key }) => key)).toEqual(['a', 'b']);
    });

    test('an offset beyond the end is refused as a lost log, not waited for', async () => {
      const topic = await createTopic(log());
      await appendKeys(log(), topic, 0, ['a']);
      await withReader(log(), async (reader) => {
        reader.assign([{ topic, partition: 0, offset: 5 }]);
        expect(await codeOf(reader.poll({ maxRecords: 1, waitMsMax: 10_000 }))).toBe('offset-beyond-end');
      });
    });

    test('read to end stops at the end of the moment of the call', async () => {
      const topic = await createTopic(log(), { partitions: 2 });
      await appendKeys(log(), topic, 0, ['a', 'b', 'c']);
      const from = [0, 1].map((partition) => ({ topic, partition, offset: partition === 0 ? 1 : 0 }));
      const keys: (string | null)[] = [];
      const reading = readToEnd(log(), from);
      for (let next = await reading.next(); next.done !== true; next = await reading.next()) {
        keys.push(...next.value.records.map(({ key }) => key));
        await appendKeys(log(), topic, 0, ['too late']);
      }
      expect(keys).toEqual(['b', 'c']);
    });
  });
}

/** Resolves when whatever is appended has a later time. */
async function nextMillisecond(): Promise<void> {
  const nowMs = Date.now();
  while (Date.now() <= nowMs) await setImmediate();
}
