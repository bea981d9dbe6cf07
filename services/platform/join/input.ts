/**
 * From records of the two input topics to parsed events: the learner's door. What cannot be parsed stays a record
 * with its refusal, so that it keeps its offset, is counted and reaches the dead letters.
 */
import type { Codec } from '../../contracts/codec.ts';
import type { TopicNames } from '../../contracts/keys.ts';
import { refuse } from '../../contracts/refusals.ts';
import { Invalid } from '../../core/errors.ts';
import type { Decision, Reward, Stream, UnitId } from '../../core/events.ts';
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

/** @throws Unavailable when a schema that a record names cannot be looked up. */
export async function parseBatch(batch: RecordBatch, stream: Stream, codecs: InputCodecs): Promise<InputRecord[]> {
  await (stream === 'decisions' ? codecs.decision : codecs.reward).prepare(batch.records.map(({ value }) => value));
  return batch.records.map((record) => {
    const nextOffset = record.offset + 1;
    try {
      return stream === 'decisions'
        ? { stream, nextOffset, record, event: parse(record, codecs.decision) }
        : { stream, nextOffset, record, event: parse(record, codecs.reward) };
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      return { stream, nextOffset, record, event: error };
    }
  });
}

function parse<T extends { readonly unitId: UnitId }>(record: LogRecord, codec: Codec<T>): T {
  if (record.value === null) refuse('no-value', 'the record has no value');
  const event = codec.decode(record.value);
  if (record.key !== event.unitId) {
    // Another key may mean another partition, where the unit's other events are not.
    refuse('key-mismatch', `the record's key is ${JSON.stringify(record.key)}, its unit ${event.unitId}`);
  }
  return event;
}
