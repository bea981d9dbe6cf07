/**
 * Takes over what one writer at a time may write. Without it an append of an earlier owner could arrive after the newer
 * one of a later owner, and compaction, which keeps what came last, would keep the older.
 */
import type { AppendRecord, Log, LogWriter, TopicPartition } from './port.ts';

/** Says nothing to readers; that it is appended ends the earlier writers. */
const TAKEN_OVER: AppendRecord = { key: '#writer', value: null };

/** Once it resolves, what is in these partitions of compacted topics is all that earlier writers of the name ever wrote. */
export async function takeOver(log: Log, name: string, partitions: readonly TopicPartition[]): Promise<LogWriter> {
  const writer = await log.soleWriter(name);
  try {
    for (const partition of partitions) await writer.append(partition, [TAKEN_OVER]);
    return writer;
  } catch (error) {
    await writer.close();
    throw error;
  }
}

/** @returns all partitions of a topic. */
export function partitionsOf(topic: string, count: number): TopicPartition[] {
  return Array.from({ length: count }, (_, partition) => ({ topic, partition }));
}
