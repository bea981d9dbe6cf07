/** Dead letters: a refused record, why, and where it came from; and their Avro record. */
import type { CroupierError } from '../core/errors.ts';
import { text, whole } from './checks.ts';
import { DEAD_LETTER_TEXT_LENGTH_MAX, DEAD_LETTER_VALUE_BYTES_MAX } from './limits.ts';
import { refuse } from './refusals.ts';

export interface DeadLetter {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly appendedAtMs: number;
  /** Stable code of the refusal. */
  readonly reason: string;
  readonly message: string;
  readonly key: string | null;
  readonly value: Buffer | null;
  /** How many bytes the value had, when it was cut; else `null`. */
  readonly truncatedFrom: number | null;
}

/** A record as it was read, and the refusal. */
export interface RefusedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly appendTimeMs: number;
  readonly key: string | null;
  readonly value: Buffer | null;
}

export function deadLetter(record: RefusedRecord, error: CroupierError): DeadLetter {
  const { topic, partition, offset, key, value } = record;
  const cut = value !== null && value.length > DEAD_LETTER_VALUE_BYTES_MAX;
  return {
    topic,
    partition,
    offset,
    appendedAtMs: record.appendTimeMs,
    reason: error.code,
    message: shorten(error.message),
    key: key === null ? null : shorten(key),
    value: cut ? value.subarray(0, DEAD_LETTER_VALUE_BYTES_MAX) : value,
    truncatedFrom: cut ? value.length : null,
  };
}

export function toDeadLetter(letter: DeadLetter): DeadLetter {
  return fromDeadLetter(letter);
}

export function fromDeadLetter(raw: DeadLetter): DeadLetter {
  if (raw.value !== null && raw.value.length > DEAD_LETTER_VALUE_BYTES_MAX) {
    refuse('too-large', `value of ${raw.value.length} bytes, allowed ${DEAD_LETTER_VALUE_BYTES_MAX}`);
  }
  return {
    topic: text('topic', raw.topic),
    partition: whole('partition', raw.partition, { min: 0 }),
    offset: whole('offset', raw.offset, { min: 0 }),
    // Any time: a log whose clock is wrong must still be able to refuse records.
    appendedAtMs: raw.appendedAtMs,
    reason: text('reason', raw.reason),
    message: raw.message,
    key: raw.key,
    value: raw.value,
    truncatedFrom: raw.truncatedFrom,
  };
}

function shorten(value: string): string {
  return value.length > DEAD_LETTER_TEXT_LENGTH_MAX ? value.slice(0, DEAD_LETTER_TEXT_LENGTH_MAX) : value;
}
