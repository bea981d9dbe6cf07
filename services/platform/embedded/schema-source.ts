/**
 * Schema ids for the embedded log, which has no registry: fixed by kind and version, so that a log kept in a folder
 * stays readable by every later version.
 */

import type { AvroSchema } from '../../contracts/avro.ts';
import type { SchemaSource } from '../../contracts/codec.ts';
import { RECORD_KINDS, subjectOf, type TopicNames, topicOf } from '../../contracts/keys.ts';
import { loadHistory } from '../../contracts/schemas.ts';
import { assert } from '../../core/errors.ts';

const VERSIONS_MAX = 1_000;

/** Reads the schema files: call once, at start. */
export function embeddedSchemaSource(topics: TopicNames): SchemaSource {
  const subjects = new Map(
    RECORD_KINDS.map((kind, index) => [
      subjectOf(topicOf(kind, topics)),
      { firstId: (index + 1) * VERSIONS_MAX + 1, versions: loadHistory(kind) },
    ]),
  );
  const find = (subject: string): { readonly firstId: number; readonly versions: readonly AvroSchema[] } => {
    const found = subjects.get(subject);
    assert(found !== undefined, `no subject ${subject}`);
    return found;
  };
  return {
    idOf(subject) {
      const { firstId, versions } = find(subject);
      return firstId + versions.length - 1;
    },
    loaded(subject, id) {
      const { firstId, versions } = find(subject);
      return versions[id - firstId];
    },
    load: () => Promise.resolve(),
  };
}
