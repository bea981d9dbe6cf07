/** What every adapter promises of appending; a part of the suite in log.ts. */
import { describe, expect, test } from 'vitest';
import { appendBytes } from '../../services/platform/log/append-bytes.ts';
import type { AppendRecord } from '../../services/platform/log/port.ts';
import { codeOf, createTopic, type LogUnderTest, readAll, record, sharedLog } from './log-fixtures.ts';

export function describeAppending(underTest: LogUnderTest): void {
  describe('appending', () => {
    const log = sharedLog(underTest);

    test('records of a partition are read in the order in which they were appended', async () => {
      const topic = await createTopic(log(), { partitions: 2 });
      const writer = log().writer();
      expect(await writer.append({ topic, partition: 1 }, [record('a'), record('b')])).toBe(0);
      expect(await writer.append({ topic, partition: 1 }, [record('c')])).toBe(2);
      expect(await writer.append({ topic, partition: 0 }, [record('elsewhere')])).toBe(0);
      const records = await readAll(log(), topic, 1);
      expect(records.map(({ offset, key }) => [offset, key])).toEqual([
        [0, 'a'],
        [1, 'b'],
        [2, 'c'],
      ]);
    });

    test('appends that are not awaited keep the order of the calls', async () => {
      const topic = await createTopic(log());
      const writer = log().writer();
      const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
      const offsets = await Promise.all(keys.map((key) => writer.append({ topic, partition: 0 }, [record(key)])));
      expect(offsets).toEqual(keys.map((_, i) => i));
      expect((await readAll(log(), topic)).map(({ key }) => key)).toEqual(keys);
    });

    test('two writers of one partition lose nothing and each keeps its order', async () => {
      const topic = await createTopic(log());
      const append = async (who: string): Promise<void> => {
        const writer = log().writer();
        for (let i = 0; i < 20; i++)
          await writer.append({ topic, partition: 0 }, [record(who, `${i}`), record(who, '+')]);
      };
      await Promise.all([append('one'), append('two')]);
      const records = await readAll(log(), topic);
      expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 80 }, (_, i) => i));
      for (const who of ['one', 'two']) {
        const values = records.filter(({ key }) => key === who).map(({ value }) => String(value));
        expect(values).toEqual(Array.from({ length: 20 }, (_, i) => [`${i}`, '+']).flat());
      }
      // A batch is adjacent: a '+' follows its own number.
      for (let i = 0; i < 80; i += 2) expect(records[i]!.key).toBe(records[i + 1]!.key);
    });

    test('the log sets the append time, one for a batch, not before the batch it follows', async () => {
      const topic = await createTopic(log());
      const writer = log().writer();
      await writer.append({ topic, partition: 0 }, [record('a'), record('b')]);
      await writer.append({ topic, partition: 0 }, [record('c')]);
      const [a, b, c] = (await readAll(log(), topic)).map(({ appendTimeMs }) => appendTimeMs);
      expect(a).toBe(b);
      expect(c).toBeGreaterThanOrEqual(a!);
      expect(Math.abs(a! - Date.now())).toBeLessThan(60_000);
    });

    test('keys, values, tombstones and headers come back as they were', async () => {
      const topic = await createTopic(log());
      const sent: AppendRecord[] = [
        { key: 'ключ 🎲', value: Buffer.from([0, 255, 10]), headers: { codec: 'avro', empty: '', __proto__x: 'x' } },
        { key: 'tombstone', value: null },
        { key: null, value: Buffer.alloc(0), headers: JSON.parse('{"__proto__":"own"}') as Record<string, string> },
      ];
      await log().writer().append({ topic, partition: 0 }, sent);
      const read = await readAll(log(), topic);
      expect(read.map(({ key, value }) => [key, value?.toString('hex') ?? null])).toEqual([
        ['ключ 🎲', '00ff0a'],
        ['tombstone', null],
        [null, ''],
      ]);
      expect(read.map(({ headers }) => Object.entries(headers))).toEqual([
        [
          ['codec', 'avro'],
          ['empty', ''],
          ['__proto__x', 'x'],
        ],
        [],
        [['__proto__', 'own']],
      ]);
    });

    test('a batch of 20,000 records is appended whole', async () => {
      const topic = await createTopic(log(), { recordBytesMax: 4_000_000 });
      const sent = Array.from({ length: 20_000 }, (_, i) => record(`unit-${i}`, `{"reward":${i}}`));
      expect(await log().writer().append({ topic, partition: 0 }, sent)).toBe(0);
      const records = await readAll(log(), topic);
      expect(records.map(({ key }) => key)).toEqual(sent.map(({ key }) => key));
      expect(records.at(-1)!.value!.toString()).toBe('{"reward":19999}');
    });

    test('records of 500 kB are carried', async () => {
      const topic = await createTopic(log(), { recordBytesMax: 2_000_000 });
      const values = [1, 2, 3, 4, 5, 6].map((fill) => Buffer.alloc(500_000, fill));
      const writer = log().writer();
      for (const value of values) await writer.append({ topic, partition: 0 }, [{ key: 'big', value }]);
      const records = await readAll(log(), topic);
      expect(records.map(({ value }, i) => value!.equals(values[i]!))).toEqual(values.map(() => true));
    });

    test('an append of exactly the limit is taken, one byte more is refused and leaves nothing', async () => {
      const recordBytesMax = 10_000;
      const topic = await createTopic(log(), { recordBytesMax });
      const writer = log().writer();
      // Two lengths of the last record grow by a byte when it is filled up.
      const spare = recordBytesMax - appendBytes([record('k', 'x'.repeat(5_000)), record('l', '')]);
      const fitting = [record('k', 'x'.repeat(5_000)), record('l', 'y'.repeat(spare - 2))];
      expect(appendBytes(fitting)).toBe(recordBytesMax);
      expect(await writer.append({ topic, partition: 0 }, fitting)).toBe(0);
      const over = [fitting[0]!, record('l', 'y'.repeat(spare - 1))];
      expect(await codeOf(writer.append({ topic, partition: 0 }, over))).toBe('record-too-large');
      expect(await writer.append({ topic, partition: 0 }, [record('next')])).toBe(2);
    });

    test('an empty append is refused', async () => {
      const topic = await createTopic(log());
      expect(await codeOf(log().writer().append({ topic, partition: 0 }, []))).toBe('empty-append');
    });

    test('a record without a key is refused by a compacted topic', async () => {
      const topic = await createTopic(log(), { cleanup: 'compact', retentionMs: null });
      const append = log()
        .writer()
        .append({ topic, partition: 0 }, [{ key: null, value: Buffer.from('x') }]);
      expect(await codeOf(append)).toBe('invalid-record');
    });
  });
}
