/**
 * Bytes ⇄ core types, by kind of record. Decoding is synchronous: the writer schemas that a batch names are loaded
 * before it (`prepare`), and resolvers are kept by writer id. Not here: where schemas and ids come from (SchemaSource).
 */
import type { Type } from 'avsc';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { assert } from '../core/errors.ts';
import type { Decision, Reward } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import type { Tally } from '../core/learning/tally.ts';
import { type AvroSchema, avroType } from './avro.ts';
import { type DeadLetter, fromDeadLetter, toDeadLetter } from './dead-letter.ts';
import { fromDecision, toDecision } from './decision.ts';
import { fromExperiment, toExperiment } from './experiment.ts';
import { type RecordKind, subjectOf, type TopicNames, topicOf } from './keys.ts';
import { RECORD_BYTES_MAX } from './limits.ts';
import { refuse } from './refusals.ts';
import { fromReward, toReward } from './reward.ts';
import { loadSchemas, type RecordSchema } from './schemas.ts';
import { fromSnapshot, toSnapshot } from './snapshot.ts';
import { fromTally, toTally } from './tally.ts';
import { frame, HEADER_BYTES, schemaIdOf, writerIdOf } from './wire.ts';

/** Where schema ids are known: a registry, or a fixed table. */
export interface SchemaSource {
  /** Id of the current schema of a subject; known since the source was opened. */
  idOf(subject: string): number;
  /** @returns the schema of that id if it is a version of the subject and loaded; else `undefined`. */
  loaded(subject: string, id: number): AvroSchema | undefined;
  /** Looks for ids that are not loaded; those that are no versions of the subject stay unknown. @throws Unavailable. */
  load(subject: string, ids: readonly number[]): Promise<void>;
}

export interface Codec<T> {
  /** @throws Invalid when the value breaks the contract. */
  encode(value: T): Buffer;
  /** @throws Invalid with a code of refusals.ts: the bytes will stay wrong. Ids that `prepare` did not find are unknown. */
  decode(bytes: Buffer): T;
  /** Call with every batch before decoding it; waits only when it names a new schema. @throws Unavailable. */
  prepare(values: Iterable<Buffer | null>): Promise<void>;
}

export interface Codecs {
  readonly experiment: Codec<Experiment>;
  readonly decision: Codec<Decision>;
  readonly reward: Codec<Reward>;
  readonly tally: Codec<Tally>;
  readonly snapshot: Codec<ParametersSnapshot>;
  readonly deadLetter: Codec<DeadLetter>;
}

/** Reads the schema files: call once, at start. */
export function createCodecs(source: SchemaSource, topics: TopicNames): Codecs {
  const schemas = loadSchemas();
  const codec = <T, Raw>(kind: RecordKind, conversion: Conversion<T, Raw>): Codec<T> => {
    const schema = schemas.get(kind);
    assert(schema !== undefined, `no schema ${kind}`);
    return createCodec(schema, subjectOf(topicOf(kind, topics)), source, conversion);
  };
  return {
    experiment: codec('experiment', { to: toExperiment, from: fromExperiment }),
    decision: codec('decision', { to: toDecision, from: fromDecision }),
    reward: codec('reward', { to: toReward, from: fromReward }),
    tally: codec('tally', { to: toTally, from: fromTally }),
    snapshot: codec('snapshot', { to: toSnapshot, from: fromSnapshot }),
    deadLetter: codec('dead-letter', { to: toDeadLetter, from: fromDeadLetter }),
  };
}

/** Between a core type and the plain record that Avro writes and reads; both directions check. */
interface Conversion<T, Raw> {
  to(value: T): Raw;
  from(raw: Raw): T;
}

type Resolver = ReturnType<Type['createResolver']>;

function createCodec<T, Raw>(
  { kind, type }: RecordSchema,
  subject: string,
  source: SchemaSource,
  conversion: Conversion<T, Raw>,
): Codec<T> {
  const resolvers = new Map<number, Resolver>();

  function resolverOf(id: number): Resolver {
    let resolver = resolvers.get(id);
    if (resolver === undefined) {
      const writer = source.loaded(subject, id);
      if (writer === undefined) refuse('unknown-schema', `schema id ${id} is no version of subject ${subject}`);
      resolver = createResolver(type, writer, `schema id ${id} of ${subject}`);
      resolvers.set(id, resolver);
    }
    return resolver;
  }

  return {
    encode(value) {
      const bytes = frame(source.idOf(subject), type.toBuffer(conversion.to(value)));
      checkSize(kind, bytes);
      return bytes;
    },
    decode(bytes) {
      checkSize(kind, bytes);
      const resolver = resolverOf(writerIdOf(bytes));
      return conversion.from(read<Raw>(type, bytes, resolver, subject));
    },
    async prepare(values) {
      const missing = new Set<number>();
      for (const bytes of values) {
        const id = bytes === null ? null : schemaIdOf(bytes);
        if (id !== null && !resolvers.has(id) && source.loaded(subject, id) === undefined) missing.add(id);
      }
      if (missing.size > 0) await source.load(subject, [...missing]);
    },
  };
}

/** Every error here is the bytes' fault: the types and the resolver are known to fit each other. */
function read<Raw>(type: Type, bytes: Buffer, resolver: Resolver, subject: string): Raw {
  const payloadBytes = bytes.length - HEADER_BYTES;
  let read: { readonly value: Raw; readonly offset: number };
  try {
    read = type.decode(bytes, HEADER_BYTES, resolver);
  } catch (cause) {
    refuse('malformed', `${payloadBytes} bytes do not decode as ${subject}: ${(cause as Error).message}`, cause);
  }
  if (read.offset === bytes.length) return read.value;
  // A negative offset: more bytes were announced than there are.
  const problem = read.offset < 0 ? 'truncated' : `${bytes.length - read.offset} too many`;
  refuse('malformed', `${payloadBytes} bytes do not decode as ${subject}: ${problem}`);
}

function createResolver(reader: Type, writer: AvroSchema, name: string): Resolver {
  try {
    return reader.createResolver(avroType(writer));
  } catch (cause) {
    refuse('unknown-schema', `${name} cannot be read by this version: ${(cause as Error).message}`, cause);
  }
}

function checkSize(kind: RecordKind, bytes: Buffer): void {
  const max = RECORD_BYTES_MAX[kind];
  if (bytes.length > max) refuse('too-large', `${kind} of ${bytes.length} bytes, allowed ${max}`);
}
