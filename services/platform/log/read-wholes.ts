/**
 * Reads a compacted topic whose values may be in parts: whole values only, and no key is missed. While somebody reads, the log
 * may remove a record that is further on replaced by one from after the end as it was when reading began. So whoever
 * came to that end reads on, until nothing has come meanwhile.
 */
import { Assembler } from '../../contracts/parts.ts';
import type { Log, LogRecord, RecordBatch, TopicPartition } from './port.ts';
import { readToEnd } from './read-to-end.ts';

/** Where something comes all the time, so many are enough: each is shorter than the one before. */
const PASSES_MAX = 10;

/** @param assembler to be asked afterwards which parts are on the log. @throws as `readToEnd` does. */
export async function* readWholes(
  log: Log,
  from: readonly (TopicPartition & { readonly offset: number })[],
  assembler: Assembler<LogRecord> = new Assembler<LogRecord>(),
): AsyncGenerator<RecordBatch, void, void> {
  const reached = new Map(from.map((start) => [`${start.topic}/${start.partition}`, start]));
  for (let passes = 0, isNew = true; isNew && passes < PASSES_MAX; passes++) {
    isNew = false;
    for await (const batch of readToEnd(log, [...reached.values()])) {
      isNew = true;
      const { topic, partition, nextOffset } = batch;
      reached.set(`${topic}/${partition}`, { topic, partition, offset: nextOffset });
      yield { ...batch, records: assembler.assemble(batch.records) };
    }
  }
}
