/**
 * The topics as deploy/topics.yaml describes them, and their creation. Reads that file; remembers nothing.
 * Not here: their names (contracts/keys.ts) and what is in them.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseDuration } from '../contracts/duration.ts';
import { RECORD_KINDS, type RecordKind, type TopicNames, topicNames, topicOf } from '../contracts/keys.ts';
import { RECORD_BYTES_MAX } from '../contracts/limits.ts';
import { parseYaml, type YamlDocument } from '../contracts/yaml-file.ts';
import { Invalid } from '../core/errors.ts';
import { BATCH_BYTES_MAX } from './log/batches.ts';
import type { LogAdmin, TopicSpec } from './log/port.ts';

const FILE = new URL('../../deploy/topics.yaml', import.meta.url);
const PARTITIONS_MAX = 10_000;
/** Beside its value a record has a key, headers and the batch around it. */
const AROUND_RECORD_BYTES = 4_096;

export interface TopicOverrides {
  /** Of `decisions` and `rewards`. */
  readonly inputPartitions?: number;
  /** Of every topic. */
  readonly replication?: number;
}

export interface CreatedTopic {
  readonly spec: TopicSpec;
  /** False when it was there. */
  readonly created: boolean;
}

/** Reads deploy/topics.yaml. @throws Invalid `topics-file` with every problem by line and column. */
export function loadTopicSpecs(topics: TopicNames, overrides: TopicOverrides = {}): readonly TopicSpec[] {
  return parseTopicsFile('deploy/topics.yaml', readFileSync(FILE, 'utf8'), topics, overrides);
}

/** @param file its name, for messages. @throws Invalid `yaml`, `topics-file`. */
export function parseTopicsFile(
  file: string,
  text: string,
  topics: TopicNames,
  { inputPartitions, replication }: TopicOverrides = {},
): readonly TopicSpec[] {
  const document = parseYaml(file, text)[0];
  if (document === undefined) throw new Invalid('topics-file', `${file}: no topic in it`);
  const entries = readEntries(document);
  return RECORD_KINDS.map((kind) => {
    const { partitions, cleanup, retention, compactionLag, recordBytes } = entries[nameOf(kind)]!;
    const isInput = kind === 'decision' || kind === 'reward';
    return {
      topic: topicOf(kind, topics),
      partitions: isInput && inputPartitions !== undefined ? inputPartitions : partitions,
      cleanup,
      retentionMs: retention === undefined ? null : parseDuration(retention),
      ...(compactionLag === undefined ? {} : { compactionLagMs: parseDuration(compactionLag)! }),
      recordBytesMax: recordBytes,
      ...(replication === undefined ? {} : { replication }),
    };
  });
}

/**
 * Creates what is missing and leaves alone what is there; harmless to repeat.
 * @throws Invalid `topic-mismatch` when one is there with another number of partitions: then none is created.
 */
export async function createTopics(admin: LogAdmin, specs: readonly TopicSpec[]): Promise<readonly CreatedTopic[]> {
  const outcomes: CreatedTopic[] = [];
  for (const spec of specs) {
    const partitions = await admin.partitionCount(spec.topic);
    if (partitions !== null && partitions !== spec.partitions) throw mismatch(spec, partitions);
    outcomes.push({ spec, created: partitions === null });
  }
  await admin.createTopics(specs);
  return outcomes;
}

function mismatch({ topic, partitions }: TopicSpec, found: number): Invalid {
  return new Invalid(
    'topic-mismatch',
    `topic ${topic} has ${found} partitions, wanted are ${partitions}. A topic keeps its number for life, since each ` +
      'unit has its place by it: ask for the number that is there, or see `croupier repartition --help`',
  );
}

const duration = z.string().refine((value) => parseDuration(value) !== null, 'allowed is a duration such as 64d');

const topic = z
  .strictObject({
    partitions: z.int().min(1).max(PARTITIONS_MAX),
    cleanup: z.enum(['compact', 'delete']),
    retention: duration.optional(),
    compactionLag: duration.optional(),
    recordBytes: z.int().min(1),
  })
  .refine(({ cleanup, retention }) => cleanup === 'delete' || retention === undefined, {
    path: ['retention'],
    message: 'a compacted topic has none',
  })
  .refine(({ cleanup, compactionLag }) => cleanup === 'compact' || compactionLag === undefined, {
    path: ['compactionLag'],
    message: 'a topic that is kept by age has none',
  });

type Entries = Readonly<Record<string, z.output<typeof topic>>>;

const shape = z
  .strictObject(Object.fromEntries(RECORD_KINDS.map((kind) => [nameOf(kind), sized(kind)])))
  .refine(({ decisions, rewards }) => decisions?.partitions === rewards?.partitions, {
    path: ['rewards', 'partitions'],
    message: 'decisions and rewards must have the same number',
  });

function sized(kind: RecordKind) {
  const inParts = kind === 'tally' || kind === 'snapshot';
  const bytesMin = inParts ? BATCH_BYTES_MAX : RECORD_BYTES_MAX[kind] + AROUND_RECORD_BYTES;
  return topic.refine(({ recordBytes }) => recordBytes >= bytesMin, {
    path: ['recordBytes'],
    message: `allowed is ${bytesMin} or more, for the largest ${kind}`,
  });
}

function readEntries(document: YamlDocument): Entries {
  const result = shape.safeParse(document.value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) =>
    document.describe({ path: path as (string | number)[], allowed: message }),
  );
  throw new Invalid('topics-file', problems.join('\n'));
}

/** Without a prefix, as the file has it. */
function nameOf(kind: RecordKind): string {
  return topicOf(kind, topicNames());
}
