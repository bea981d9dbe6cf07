/**
 * The Avro schemas of this version and of every version before it, as kept in schemas/avro.
 * Not here: the ids that a registry gives them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Type } from 'avsc';
import { assert } from '../core/errors.ts';
import { type AvroSchema, avroType } from './avro.ts';
import { RECORD_KINDS, type RecordKind } from './keys.ts';

const FOLDER = new URL('../../schemas/avro/', import.meta.url);

export const COMPATIBILITY = {
  experiment: 'BACKWARD_TRANSITIVE',
  decision: 'BACKWARD_TRANSITIVE',
  reward: 'BACKWARD_TRANSITIVE',
  tally: 'FULL_TRANSITIVE',
  snapshot: 'FULL_TRANSITIVE',
  'dead-letter': 'BACKWARD_TRANSITIVE',
} as const satisfies Record<RecordKind, string>;

export interface RecordSchema {
  readonly kind: RecordKind;
  /** The one serialised form; a registry may tell apart what differs in white space only. */
  readonly text: string;
  readonly type: Type;
}

/** @returns the schemas that this version writes and reads by. Reads files: call once, at start. */
export function loadSchemas(): ReadonlyMap<RecordKind, RecordSchema> {
  return new Map(RECORD_KINDS.map((kind) => [kind, recordSchema(kind, readSchema(`${kind}.avsc`))]));
}

/** @returns every version of one schema, the oldest first; the last is the current one. Reads files. */
export function loadHistory(kind: RecordKind): readonly AvroSchema[] {
  const pattern = new RegExp(`^${kind}\\.v(\\d+)\\.avsc$`);
  const versions = readdirSync(new URL('history/', FOLDER)).flatMap((file) => pattern.exec(file)?.[1] ?? []);
  return versions
    .map(Number)
    .sort((a, b) => a - b)
    .map((version, index) => {
      assert(version === index + 1, `schemas/avro/history has no version ${index + 1} of ${kind}`);
      return readSchema(`history/${kind}.v${version}.avsc`);
    });
}

function recordSchema(kind: RecordKind, schema: AvroSchema): RecordSchema {
  return { kind, text: JSON.stringify(schema), type: avroType(schema) };
}

function readSchema(path: string): AvroSchema {
  return JSON.parse(readFileSync(new URL(path, FOLDER), 'utf8')) as AvroSchema;
}
