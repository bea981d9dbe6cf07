/** What every adapter promises of topics and their offsets; a part of the suite in log.ts. */
import { describe, expect, test } from 'vitest';
import { readToEnd } from '../../services/platform/log/read-to-end.ts';
import { uniqueName } from '../support/broker.ts';
import {
  appendKeys,
  codeOf,
  collect,
  createTopic,
  type LogUnderTest,
  readAll,
  record,
  sharedLog,
  topicSpec,
  withReader,
} from './log-fixtures.ts';

export function describeTopics(underTest: LogUnderTest): void {
  describe('topics', () => {
    const log = sharedLog(underTest);

    test('creating a topic twice is one topic; with another partition count it is refused', async () => {
      const topic = await createTopic(log(), { partitions: 3 });
      await log().admin.createTopics([topicSpec({ topic, partitions: 3 })]);
      expect(await log().admin.partitionCount(topic)).toBe(3);
      const create = log().admin.createTopics([topicSpec({ topic, partitions: 4 })]);
      expect(await codeOf(create)).toBe('topic-mismatch');
      expect(await log().admin.partitionCount(topic)).toBe(3);
    });

    test('a topic is described as it was created; one that is not there is not', async () => {
      const inputs = await createTopic(log(), { partitions: 2, retentionMs: 86_400_000, recordBytesMax: 2_000_000 });
      expect(await log().admin.describe(inputs)).toEqual({
        partitions: 2,
        isAppendTime: true,
        cleanup: 'delete',
        retentionMs: 86_400_000,
        retentionBytes: null,
        compactionLagMs: 0,
        recordBytesMax: 2_000_000,
      });
      const tallies = await createTopic(log(), { cleanup: 'compact', compactionLagMs: 3_600_000 });
      expect(await log().admin.describe(tallies)).toMatchObject({ cleanup: 'compact', compactionLagMs: 3_600_000 });
      expect(await log().admin.describe(uniqueName('missing'))).toBeNull();
    });

    test('a topic name that could leave its folder is refused', async () => {
      expect(await codeOf(log().admin.createTopics([topicSpec({ topic: '../x' })]))).toBe('invalid-topic');
    });

    test('an unknown topic has no partition count and refuses everything else; nothing creates it', async () => {
      const topic = uniqueName('unknown');
      expect(await log().admin.partitionCount(topic)).toBeNull();
      expect(await codeOf(log().admin.offsets(topic))).toBe('unknown-topic');
      expect(await codeOf(log().admin.offsetsAt(topic, 0))).toBe('unknown-topic');
      expect(
        await codeOf(
          log()
            .writer()
            .append({ topic, partition: 0 }, [record('a')]),
        ),
      ).toBe('unknown-topic');
      await withReader(log(), async (reader) => {
        reader.assign([{ topic, partition: 0, offset: 0 }]);
        expect(await codeOf(reader.poll({ maxRecords: 1, waitMsMax: 10_000 }))).toBe('unknown-topic');
      });
      const handlers = { assigned: async () => {}, revoked: async () => {} };
      const join = log().membership().join({ groupId: topic, topic, sessionTimeoutMs: 6_000, handlers });
      expect(await codeOf(join)).toBe('unknown-topic');
      expect(await log().admin.partitionCount(topic)).toBeNull();
    });

    test('a partition that the topic lacks is refused', async () => {
      const topic = await createTopic(log(), { partitions: 2 });
      expect(
        await codeOf(
          log()
            .writer()
            .append({ topic, partition: 2 }, [record('a')]),
        ),
      ).toBe('unknown-partition');
      await withReader(log(), async (reader) => {
        reader.assign([{ topic, partition: 2, offset: 0 }]);
        expect(await codeOf(reader.poll({ maxRecords: 1, waitMsMax: 10_000 }))).toBe('unknown-partition');
      });
    });

    test('a deleted topic is gone, and one created anew under its name is empty', async () => {
      const topic = await createTopic(log());
      await appendKeys(log(), topic, 0, ['a']);
      await log().admin.deleteTopics([topic]);
      expect(await log().admin.partitionCount(topic)).toBeNull();
      await log().admin.createTopics([topicSpec({ topic })]);
      expect(await log().admin.offsets(topic)).toEqual([{ start: 0, end: 0 }]);
    });

    test('offsets gives start and end of each partition', async () => {
      const topic = await createTopic(log(), { partitions: 2 });
      await appendKeys(log(), topic, 1, ['a', 'b']);
      expect(await log().admin.offsets(topic)).toEqual([
        { start: 0, end: 0 },
        { start: 0, end: 2 },
      ]);
    });

    test('offsetsAt gives the first offset at or after a time, else the end', async () => {
      const topic = await createTopic(log(), { partitions: 2 });
      await appendKeys(log(), topic, 0, ['a', 'b']);
      const [first] = await readAll(log(), topic);
      const { appendTimeMs } = first!;
      expect(await log().admin.offsetsAt(topic, appendTimeMs - 1_000)).toEqual([0, 0]);
      expect(await log().admin.offsetsAt(topic, appendTimeMs)).toEqual([0, 0]);
      expect(await log().admin.offsetsAt(topic, appendTimeMs + 3_600_000)).toEqual([2, 0]);
    });

    const { compact } = underTest;
    test.runIf(compact !== undefined)('compaction keeps the newest of each key at its offset', async () => {
      const topic = await createTopic(log(), { cleanup: 'compact', retentionMs: null });
      await appendKeys(log(), topic, 0, ['a', 'b', 'a', 'c', 'b']);
      await log()
        .writer()
        .append({ topic, partition: 0 }, [{ key: 'c', value: null }]);
      compact?.(log(), topic);
      const batches = await collect(readToEnd(log(), [{ topic, partition: 0, offset: 0 }]));
      const records = batches.flatMap((batch) => batch.records);
      expect(records.map(({ offset, key, value }) => [offset, key, value === null])).toEqual([
        [2, 'a', false],
        [4, 'b', false],
        [5, 'c', true],
      ]);
      expect(batches.at(-1)!.nextOffset).toBe(6);
      expect((await readAll(log(), topic, 0, 3)).map(({ offset }) => offset)).toEqual([4, 5]);
      expect(
        await log()
          .writer()
          .append({ topic, partition: 0 }, [record('d')]),
      ).toBe(6);
    });
  });
}
