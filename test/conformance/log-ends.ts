/** What every adapter promises of close and restart; a part of the suite in log.ts. */
import { describe, expect, test } from 'vitest';
import { appendKeys, codeOf, createTopic, type LogUnderTest, readAll, record } from './log-fixtures.ts';

export function describeEnds(underTest: LogUnderTest): void {
  describe('ends', () => {
    test.skipIf(underTest.isVolatile === true)(
      'a log closed and opened again holds what it held and goes on from there',
      async () => {
        const before = underTest.open();
        const topic = await createTopic(before, { partitions: 2 });
        await appendKeys(before, topic, 1, ['a', 'b']);
        const read = await readAll(before, topic, 1);
        await before.close();
        const after = underTest.open();
        expect(await readAll(after, topic, 1)).toEqual(read);
        expect(await after.writer().append({ topic, partition: 1 }, [record('c')])).toBe(2);
        await after.close();
      },
    );

    test('nothing works after close, and a poll that waits comes back empty', async () => {
      const log = underTest.open();
      const topic = await createTopic(log);
      const reader = log.reader();
      const writer = log.writer();
      reader.assign([{ topic, partition: 0, offset: 0 }]);
      const waiting = reader.poll({ maxRecords: 1, waitMsMax: 60_000 });
      const appended = writer.append({ topic, partition: 0 }, [record('on its way')]);
      await appended;
      await reader.close();
      await waiting;
      await writer.close();
      expect(await codeOf(reader.poll({ maxRecords: 1, waitMsMax: 0 }))).toBe('closed');
      expect(await codeOf(writer.append({ topic, partition: 0 }, [record('late')]))).toBe('closed');
      const idle = log.reader();
      idle.assign([{ topic, partition: 0, offset: 1 }]);
      const idlePoll = idle.poll({ maxRecords: 1, waitMsMax: 60_000 });
      await log.close();
      expect(await idlePoll).toEqual([]);
      expect(() => log.reader()).toThrow(/closed/);
      expect(() => log.writer()).toThrow(/closed/);
      expect(() => log.membership()).toThrow(/closed/);
      expect(await codeOf(log.admin.offsets(topic))).toBe('closed');
    });
  });
}
