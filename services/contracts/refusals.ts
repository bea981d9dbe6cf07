/**
 * Why a record is refused: the stable codes that stand in dead letters, counters and API answers.
 * Codes are added, never renamed. Not here: what is done with a refused record.
 */
import { Invalid } from '../core/errors.ts';
import { LEARNING_REFUSALS } from '../core/learning/refusals.ts';

export const REFUSALS = {
  'bad-magic': 'The bytes are not in the Confluent wire format: a zero byte, then a schema id of four bytes.',
  'unknown-schema': "The schema id is none of the versions of the topic's subject in the schema registry.",
  malformed: 'The bytes do not decode by the schema that they name.',
  'too-large': 'The record is larger than its topic allows.',
  'text-range': 'A name or id is empty, longer than 200 characters, or has control or undecodable characters.',
  'time-range': 'A time is not a whole millisecond from 2000-01-01, before 2100-01-01.',
  'number-range': 'A number is NaN, infinite or outside its limits.',
  'propensity-range': 'A propensity is not above 0 and at most 1.',
  'feature-range': 'A feature is not a number from -16 to 16, or there are more than 4,096.',
  'slots-range': 'A decision has no slot, or more than 20.',
  'unknown-reason': 'The decision was dealt for a reason that this version does not know.',
  contradictory:
    'Parts of the record contradict each other: a name twice, lengths that differ, sums not in normal form.',
  expression: 'A formula does not parse, is too long, or uses an operator or function that there is not.',
  'no-value': 'The record has no value: a tombstone, where every record is an event.',
  'key-mismatch':
    "The record's key is not the event's unit, so that it may stand in another partition than the unit's other events.",
  'wrong-partition':
    "The record stands in another partition than Kafka's murmur2 gives its key, so that the unit's other events are elsewhere.",
  missing: 'A row of a file of past events lacks a field that its event must have.',
  'unreadable-row': 'A row of a file of past events cannot be read as its format has it.',
  'unknown-metric': 'No experiment that a past reward could reach learns from its metric.',
  crowded: 'A file of past events has more of the unit than is learned from in one span of log time.',
  ...LEARNING_REFUSALS,
} as const;

export type RefusalCode = keyof typeof REFUSALS;

/** @throws Invalid, always. */
export function refuse(code: RefusalCode, message: string, cause?: unknown): never {
  throw new Invalid(code, message, cause === undefined ? undefined : { cause });
}
