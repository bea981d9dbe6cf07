/**
 * From records of the two input topics to parsed events: the learner's door. What cannot be parsed stays a record
 * with its refusal, so that it keeps its offset, is counted and reaches the dead letters.
 */
import type { Codec } from '../../contracts/codec.ts';
import type { TopicNames } from '../../contracts/keys.ts';
import { refuse } from '../../contracts/refusals.ts';
import { Invalid } from '../../core/errors.ts';
import type { Decision, Reward, Stream, UnitId } from '../../core/events.ts';
import { partitionOf } from '../log/partitioner.ts';
import type { LogRecord, RecordBatch } from '../log/port.ts';

export type InputRecord = {
  readonly nextOffset: number;
  readonly record: LogRecord;
} & (
  | { readonly stream: 'decisions'; readonly event: Decision }
  | { readonly stream: 'rewards'; readonly event: Reward }
  | { readonly stream: Stream; readonly event: Invalid }
);

export interface InputCodecs {
  readonly decision: Codec<Decision>;
  readonly reward: Codec<Reward>;
}

export function streamOf(topic: string, topics: TopicNames): Stream {
  return topic === topics.decisions ? 'decisions' : 'rewards';
}

/** What a topic's records are held against. */
interface Door {
  readonly stream: Stream;
  readonly codecs: InputCodecs;
  /** How many each input topic has. */
  readonly partitions: number;
}

/** @throws Unavailable when a schema that a record names cannot be looked up. */
export async function parseBatch(batch: RecordBatch, door: Door): Promise<InputRecord[]> {
  const { stream, codecs, partitions } = door;
  const place = { partition: batch.partition, partitions };
  await (stream === 'decisions' ? codecs.decision : codecs.reward).prepare(batch.records.map(({ value }) => value));
  return batch.records.map((record) => {
    const nextOffset = record.offset + 1;
    try {
      return stream === 'decisions'
        ? { stream, nextOffset, record, event: parse(record, codecs.decision, place) }
        : { stream, nextOffset, record, event: parse(record, codecs.reward, place) };
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      return { stream, nextOffset, record, event: error };
    }
  });
}

interface Place {
  readonly partition: number;
  readonly partitions: number;
}

function parse<T extends { readonly unitId: UnitId }>(record: LogRecord, codec: Codec<T>, place: Place): T {
  if (record.value === null) refuse('no-value', 'the record has no value');
  const event = codec.decode(record.value);
  if (record.key !== event.unitId) {
    refuse('key-mismatch', `the record's key is ${JSON.stringify(record.key)}, its unit ${event.unitId}`);
  }
  // A unit's decisions and rewards meet only where its key belongs.
  const belongs = partitionOf(event.unitId, place.partitions);
  if (belongs !== place.partition) {
    refuse('wrong-partition', `unit ${event.unitId} belongs to partition ${belongs}, it stands in ${place.partition}`);
  }
  return event;
}
