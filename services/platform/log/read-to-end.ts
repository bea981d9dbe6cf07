/**
 * Reads partitions from given offsets up to where they end at the moment of the call, then stops: how a compacted
 * topic is loaded and how a span of the inputs is read again.
 */
import { Invalid, Unavailable } from '../../core/errors.ts';
import type { Log, RecordBatch, TopicPartition } from './port.ts';

const RECORDS_MAX = 10_000;
const WAIT_MS = 1_000;
const EMPTY_POLLS_MAX = 30;

/**
 * @param from where to start, by partition; what lies beyond the end yields nothing.
 * @yields batches in offset order within a partition; none has a record at or past that partition's end.
 * @throws Invalid `unknown-topic`, `unknown-partition`; Unavailable `log-stalled` when nothing came for 30 s although the end is not reached.
 */
export async function* readToEnd(
  log: Log,
  from: readonly (TopicPartition & { readonly offset: number })[],
): AsyncGenerator<RecordBatch, void, void> {
  const endByPartition = await endsOf(log, from);
  const open = new Map<string, TopicPartition & { readonly offset: number }>();
  for (const start of from) {
    const end = endByPartition.get(nameOf(start));
    if (end === undefined) throw new Invalid('unknown-partition', `there is no partition ${nameOf(start)}`);
    if (start.offset < end) open.set(nameOf(start), start);
  }
  if (open.size === 0) return;
  const reader = log.reader();
  try {
    reader.assign([...open.values()]);
    for (let emptyPolls = 0; open.size > 0; emptyPolls += 1) {
      if (emptyPolls === EMPTY_POLLS_MAX) {
        throw new Unavailable('log-stalled', `no record of ${[...open.keys()].join(', ')} for 30 s, end not reached`);
      }
      for (const batch of await reader.poll({ maxRecords: RECORDS_MAX, waitMsMax: WAIT_MS })) {
        emptyPolls = 0;
        const name = nameOf(batch);
        if (!open.has(name)) continue;
        const end = endByPartition.get(name)!;
        if (batch.nextOffset >= end) open.delete(name);
        yield upTo(batch, end);
      }
    }
  } finally {
    await reader.close();
  }
}

async function endsOf(log: Log, from: readonly TopicPartition[]): Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  for (const topic of new Set(from.map((start) => start.topic))) {
    (await log.admin.offsets(topic)).forEach(({ end }, partition) => {
      ends.set(nameOf({ topic, partition }), end);
    });
  }
  return ends;
}

function upTo(batch: RecordBatch, end: number): RecordBatch {
  if (batch.nextOffset <= end) return batch;
  return { ...batch, records: batch.records.filter((record) => record.offset < end), nextOffset: end };
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** @returns the start of every partition of a topic. @throws Invalid `unknown-topic`. */
export async function startOf(log: Log, topic: string): Promise<(TopicPartition & { readonly offset: number })[]> {
  return (await log.admin.offsets(topic)).map(({ start }, partition) => ({ topic, partition, offset: start }));
}
