/**
 * Keeps in the mirrors what the schema registry said, so that what is mirrored beside it can be read, and decisions be
 * written, by a process that starts while the registry is away.
 */
import { z } from 'zod';
import type { AvroSchema } from '../../contracts/avro.ts';
import type { SchemaSource } from '../../contracts/codec.ts';
import { RECORD_KINDS, subjectOf, type TopicNames, topicOf } from '../../contracts/keys.ts';
import { schemaIdOf } from '../../contracts/wire.ts';
import { assert, Unavailable } from '../../core/errors.ts';
import type { Mirrors } from './mirrors.ts';

const keptSubject = z.object({
  currentId: z.int(),
  schemas: z.array(z.object({ id: z.int(), schema: z.custom<AvroSchema>() })),
});

interface KeptSubject {
  readonly currentId: number;
  readonly byId: ReadonlyMap<number, AvroSchema>;
}

/** Saves each subject's current schema, and any other that a mirrored record was written by. Owns what it has saved. */
export class SchemaMirror {
  private readonly source: SchemaSource;
  private readonly mirrors: Mirrors;
  private readonly kept = new Map<string, Map<number, AvroSchema>>();

  constructor(source: SchemaSource, topics: TopicNames, mirrors: Mirrors) {
    this.source = source;
    this.mirrors = mirrors;
    for (const kind of RECORD_KINDS) {
      const subject = subjectOf(topicOf(kind, topics));
      this.kept.set(subject, new Map());
      this.keep(subject, source.idOf(subject));
    }
  }

  /** @param bytes of a record of the topic, in the wire format. */
  keepSchemaOf(topic: string, bytes: Buffer): void {
    const id = schemaIdOf(bytes);
    if (id !== null) this.keep(subjectOf(topic), id);
  }

  private keep(subject: string, id: number): void {
    const byId = this.kept.get(subject);
    assert(byId !== undefined, `no subject ${subject}`);
    const schema = this.source.loaded(subject, id);
    if (byId.has(id) || schema === undefined) return;
    byId.set(id, schema);
    const currentId = this.source.idOf(subject);
    const value: z.infer<typeof keptSubject> = {
      currentId,
      schemas: [...byId].map(([each, kept]) => ({ id: each, schema: kept })),
    };
    this.mirrors.offer({
      kind: 'schemas',
      key: subject,
      rank: [currentId, byId.size],
      appendTimeMs: 0,
      value: Buffer.from(JSON.stringify(value)),
    });
  }
}

/**
 * The registry's source, or the mirrors' while the registry is away.
 * @throws Unavailable when neither has all subjects; what `open` throws otherwise.
 */
export async function openSchemaSource(
  open: () => Promise<SchemaSource>,
  topics: TopicNames,
  mirrors: Mirrors,
): Promise<SchemaSource> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    const kept = await loadKept(mirrors);
    if (!RECORD_KINDS.every((kind) => kept.has(subjectOf(topicOf(kind, topics))))) throw error;
    return new KeptSource(kept, open);
  }
}

async function loadKept(mirrors: Mirrors): Promise<ReadonlyMap<string, KeptSubject>> {
  const subjects = new Map<string, KeptSubject>();
  for (const { key, value } of await mirrors.load('schemas')) {
    const { currentId, schemas } = keptSubject.parse(JSON.parse(value.toString()));
    const known = subjects.get(key);
    const byId = new Map([...(known?.byId ?? []), ...schemas.map(({ id, schema }) => [id, schema] as const)]);
    subjects.set(key, { currentId: Math.max(currentId, known?.currentId ?? 0), byId });
  }
  return subjects;
}

/** Knows what was kept; asks the registry, once it is back, for what is new. */
class KeptSource implements SchemaSource {
  private readonly kept: ReadonlyMap<string, KeptSubject>;
  private readonly open: () => Promise<SchemaSource>;
  private registry: SchemaSource | null = null;

  constructor(kept: ReadonlyMap<string, KeptSubject>, open: () => Promise<SchemaSource>) {
    this.kept = kept;
    this.open = open;
  }

  idOf(subject: string): number {
    return this.subject(subject).currentId;
  }

  loaded(subject: string, id: number): AvroSchema | undefined {
    return this.subject(subject).byId.get(id) ?? this.registry?.loaded(subject, id);
  }

  async load(subject: string, ids: readonly number[]): Promise<void> {
    this.registry ??= await this.open();
    await this.registry.load(subject, ids);
  }

  private subject(subject: string): KeptSubject {
    const kept = this.kept.get(subject);
    assert(kept !== undefined, `no subject ${subject}`);
    return kept;
  }
}
