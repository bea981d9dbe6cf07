import { expect, test } from 'vitest';
import { EmbeddedLog } from '../../../../services/platform/embedded/log.ts';
import { startOf } from '../../../../services/platform/log/read-to-end.ts';
import { readWholes } from '../../../../services/platform/log/read-wholes.ts';
import { overriding } from '../../../support/overriding.ts';

const TOPIC = 'definitions';

test('a key whose record is replaced and removed while somebody reads is not missed', async () => {
  const log = new EmbeddedLog({ folder: null, now: () => 0 });
  await log.admin.createTopics([
    { topic: TOPIC, partitions: 1, cleanup: 'compact', retentionMs: null, recordBytesMax: 10_000 },
  ]);
  const writer = log.writer();
  const put = (key: string, value: string) =>
    writer.append({ topic: TOPIC, partition: 0 }, [{ key, value: Buffer.from(value) }]);
  await put('a', 'first');
  await put('b', 'first');
  let compactions = 0;
  const racing = overriding(log, {
    reader: () => {
      const reader = log.reader();
      const poll: typeof reader.poll = async (options) => {
        if (compactions++ === 0) {
          await put('a', 'second');
          log.compact(TOPIC);
        }
        return reader.poll(options);
      };
      return overriding(reader, { poll });
    },
  });
  const read = new Map<string, string>();
  for await (const { records } of readWholes(racing, await startOf(log, TOPIC)))
    for (const { key, value } of records) read.set(key!, String(value));
  expect(Object.fromEntries(read)).toEqual({ a: 'second', b: 'first' });
  await log.close();
});
