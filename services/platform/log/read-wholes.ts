/** Reads a compacted topic whose values may be in parts: as `readToEnd` does, but whole values only. */
import { Assembler } from '../../contracts/parts.ts';
import type { Log, LogRecord, RecordBatch, TopicPartition } from './port.ts';
import { readToEnd } from './read-to-end.ts';

/** @param assembler to be asked afterwards which parts are on the log. */
export async function* readWholes(
  log: Log,
  from: readonly (TopicPartition & { readonly offset: number })[],
  assembler: Assembler<LogRecord> = new Assembler<LogRecord>(),
): AsyncGenerator<RecordBatch, void, void> {
  for await (const batch of readToEnd(log, from)) yield { ...batch, records: assembler.assemble(batch.records) };
}
