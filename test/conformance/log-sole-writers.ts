/** What every adapter promises of writers of which the newest counts; a part of the suite in log.ts. */
import { describe, expect, test } from 'vitest';
import { partitionsOf, takeOver } from '../../services/platform/log/sole-writer.ts';
import { uniqueName } from '../support/broker.ts';
import { codeOf, createTopic, type LogUnderTest, readAll, record, sharedLog } from './log-fixtures.ts';

export function describeSoleWriters(underTest: LogUnderTest): void {
  describe('a sole writer', () => {
    const log = sharedLog(underTest);

    test('appends no more where a newer one of its name has appended, and is told so', async () => {
      const [topic, name] = [await createTopic(log(), { partitions: 2 }), uniqueName('writer')];
      const first = await log().soleWriter(name);
      await first.append({ topic, partition: 0 }, [record('a'), record('b')]);
      await first.append({ topic, partition: 0 }, [record('c')]);
      const second = await log().soleWriter(name);
      await second.append({ topic, partition: 0 }, [record('d')]);
      expect(await codeOf(first.append({ topic, partition: 0 }, [record('too late')]))).toBe('overtaken');
      await second.append({ topic, partition: 0 }, [record('e')]);
      expect((await readAll(log(), topic)).map(({ key }) => key)).toEqual(['a', 'b', 'c', 'd', 'e']);
    });

    test('that took over has ended the earlier ones in all partitions that it was told of', async () => {
      const [topic, name] = [await createTopic(log(), { partitions: 2, cleanup: 'compact' }), uniqueName('writer')];
      const first = await takeOver(log(), name, partitionsOf(topic, 2));
      await first.append({ topic, partition: 1 }, [record('a')]);
      await takeOver(log(), name, partitionsOf(topic, 2));
      expect(await codeOf(first.append({ topic, partition: 1 }, [record('too late')]))).toBe('overtaken');
      const records = await readAll(log(), topic, 1);
      expect(records.filter(({ value }) => value !== null).map(({ key }) => key)).toEqual(['a']);
    });

    test('does not disturb those of other names, nor plain writers', async () => {
      const topic = await createTopic(log());
      const to = { topic, partition: 0 };
      const one = await log().soleWriter(uniqueName('one'));
      const other = await log().soleWriter(uniqueName('other'));
      const plain = log().writer();
      for (const [index, writer] of [one, other, plain, one, other, plain].entries()) {
        await writer.append(to, [record(`${index}`)]);
      }
      expect((await readAll(log(), topic)).map(({ key }) => key)).toEqual(['0', '1', '2', '3', '4', '5']);
    });

    test('goes on after a record that was refused for its own sake', async () => {
      const to = { topic: await createTopic(log(), { recordBytesMax: 2_000 }), partition: 0 };
      const writer = await log().soleWriter(uniqueName('writer'));
      await writer.append(to, [record('a')]);
      expect(await codeOf(writer.append(to, [record('b', 'x'.repeat(10_000))]))).toBe('record-too-large');
      await writer.append(to, [record('c')]);
      expect((await readAll(log(), to.topic)).map(({ key }) => key)).toEqual(['a', 'c']);
    });

    test('appends that are not awaited keep the order of the calls', async () => {
      const topic = await createTopic(log());
      const writer = await log().soleWriter(uniqueName('writer'));
      const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
      await Promise.all(keys.map((key) => writer.append({ topic, partition: 0 }, [record(key), record(key)])));
      expect((await readAll(log(), topic)).map(({ key }) => key)).toEqual(keys.flatMap((key) => [key, key]));
    });
  });
}
