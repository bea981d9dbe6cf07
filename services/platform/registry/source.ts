/**
 * Schemas from a registry, at run time: only reads. Owns the versions of our subjects that it has seen, and the ids
 * that it was asked for in vain: a producer registers before it produces, so such an id stays unknown.
 */

import type { AvroSchema } from '../../contracts/avro.ts';
import type { SchemaSource } from '../../contracts/codec.ts';
import { RECORD_KINDS, subjectOf, type TopicNames, topicOf } from '../../contracts/keys.ts';
import { loadSchemas } from '../../contracts/schemas.ts';
import { assert, Invalid } from '../../core/errors.ts';
import { RegistryClient, type RegistryOptions } from './client.ts';

const UNKNOWN_IDS_MAX = 10_000;

/** What is known of one subject. */
interface Subject {
  readonly currentId: number;
  readonly byId: Map<number, AvroSchema>;
  readonly versionsSeen: Set<number>;
  readonly unknownIds: Set<number>;
}

/**
 * Reads the schema files, and from the registry all versions of our subjects.
 * @throws Invalid `schema-not-registered` when the set-up step has not run for this version; Unavailable.
 */
export async function openRegistrySource(options: RegistryOptions, topics: TopicNames): Promise<SchemaSource> {
  const client = new RegistryClient(options);
  const schemas = loadSchemas();
  const subjects = new Map<string, Subject>();
  for (const kind of RECORD_KINDS) {
    const name = subjectOf(topicOf(kind, topics));
    const currentId = await client.idOf(name, schemas.get(kind)!.text);
    if (currentId === null) {
      throw new Invalid(
        'schema-not-registered',
        `schema registry ${options.url}: subject ${name} lacks this version's schema; run \`croupier topics create\``,
      );
    }
    const subject = { currentId, byId: new Map(), versionsSeen: new Set<number>(), unknownIds: new Set<number>() };
    await loadVersions(client, name, subject);
    subjects.set(name, subject);
  }
  return new RegistrySource(client, subjects);
}

class RegistrySource implements SchemaSource {
  private readonly client: RegistryClient;
  private readonly subjects: ReadonlyMap<string, Subject>;

  constructor(client: RegistryClient, subjects: ReadonlyMap<string, Subject>) {
    this.client = client;
    this.subjects = subjects;
  }

  idOf(subject: string): number {
    return this.subject(subject).currentId;
  }

  loaded(subject: string, id: number): AvroSchema | undefined {
    return this.subject(subject).byId.get(id);
  }

  async load(name: string, ids: readonly number[]): Promise<void> {
    const subject = this.subject(name);
    if (ids.every((id) => subject.unknownIds.has(id))) return;
    await loadVersions(this.client, name, subject);
    for (const id of ids) if (!subject.byId.has(id)) remember(subject.unknownIds, id);
  }

  private subject(name: string): Subject {
    const subject = this.subjects.get(name);
    assert(subject !== undefined, `no subject ${name}`);
    return subject;
  }
}

async function loadVersions(client: RegistryClient, name: string, subject: Subject): Promise<void> {
  for (const version of await client.versions(name)) {
    if (subject.versionsSeen.has(version)) continue;
    const { id, schema } = await client.version(name, version);
    subject.byId.set(id, JSON.parse(schema) as AvroSchema);
    subject.versionsSeen.add(version);
  }
}

/** Keeps the newest. */
function remember(ids: Set<number>, id: number): void {
  ids.add(id);
  if (ids.size <= UNKNOWN_IDS_MAX) return;
  for (const oldest of ids) {
    ids.delete(oldest);
    return;
  }
}
