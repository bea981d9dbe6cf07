/**
 * The log port within this process: in memory, or durable in a folder. For the demo, tests and the simulator, and for
 * one process on one machine: every record is held in memory, and a folder belongs to one process at a time.
 * Owns the topics and groups. Not here: the file format (segment.ts).
 *
 * Retention of `delete` topics is applied when a folder is opened; compaction when `compact` is called. A tombstone
 * stays as the newest record of its key.
 */
import { assert, Invalid, Unavailable } from '../../core/errors.ts';
import { APPEND_BYTES_MAX, appendBytes } from '../log/append-bytes.ts';
import type {
  AppendRecord,
  GroupMembership,
  Log,
  LogAdmin,
  LogReader,
  LogWriter,
  TopicPartition,
  TopicSettings,
  TopicSpec,
} from '../log/port.ts';
import { Signal } from '../log/signal.ts';
import { EmbeddedMembership, Groups } from './group.ts';
import { EmbeddedReader } from './reader.ts';
import { Topics } from './topics.ts';

export class EmbeddedLog implements Log {
  readonly admin: LogAdmin;
  readonly #topics: Topics;
  readonly #groups: Groups;
  readonly #appended = new Signal();
  readonly #now: () => number;
  readonly #parts = new Set<{ close(): Promise<void> }>();
  readonly #soleWriters = new SoleWriters();
  #closed = false;

  /**
   * @param options.folder `null` keeps everything in memory.
   * @param options.now the append time in ms; recorded as it is, even when it steps back.
   */
  constructor(options: { readonly folder: string | null; readonly now: () => number }) {
    this.#now = options.now;
    this.#topics = new Topics(options.folder);
    this.#groups = new Groups(this.#topics);
    this.admin = new EmbeddedAdmin(this.#topics, () => this.#assertOpen());
    for (const { spec, partitions } of this.#topics.all()) {
      if (spec.cleanup !== 'delete' || spec.retentionMs === null) continue;
      for (const partition of partitions) partition.dropBefore(this.#now() - spec.retentionMs);
    }
  }

  reader(): LogReader {
    this.#assertOpen();
    const reader = new EmbeddedReader(this.#topics, this.#appended, () => this.#parts.delete(reader));
    this.#parts.add(reader);
    return reader;
  }

  writer(): LogWriter {
    this.#assertOpen();
    return new EmbeddedWriter((to, records) => this.#append(to, records));
  }

  async soleWriter(name: string): Promise<LogWriter> {
    this.#assertOpen();
    const mayAppend = this.#soleWriters.begin(name);
    return new EmbeddedWriter((to, records) => {
      mayAppend(to);
      return this.#append(to, records);
    });
  }

  membership(): GroupMembership {
    this.#assertOpen();
    const membership = new EmbeddedMembership(this.#groups);
    this.#parts.add({ close: () => membership.leave() });
    return membership;
  }

  /** Compacts a `compact` topic now. @throws Invalid `unknown-topic`. */
  compact(topic: string): void {
    this.#assertOpen();
    const { spec, partitions } = this.#topics.get(topic);
    assert(spec.cleanup === 'compact', `topic ${topic} is kept by age, it has no compaction`);
    for (const partition of partitions) partition.compact();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await Promise.all([...this.#parts].map((part) => part.close()));
    this.#closed = true;
    this.#topics.close();
  }

  #append(to: TopicPartition, records: readonly AppendRecord[]): number {
    this.#assertOpen();
    const partition = this.#topics.partition(to);
    const { spec } = this.#topics.get(to.topic);
    const bytesMax = Math.min(spec.recordBytesMax, APPEND_BYTES_MAX);
    const bytes = appendBytes(records);
    if (bytes > bytesMax) {
      throw new Invalid('record-too-large', `${bytes} bytes for ${to.topic}/${to.partition}, which takes ${bytesMax}`);
    }
    if (spec.cleanup === 'compact' && records.some((record) => record.key === null)) {
      throw new Invalid('invalid-record', `a record without a key for the compacted topic ${to.topic}`);
    }
    const offset = partition.append(records, this.#now());
    this.#appended.fire();
    return offset;
  }

  #assertOpen(): void {
    if (this.#closed) throw new Invalid('closed', 'this log is closed');
  }
}

/** Who writes last, by name, and in which partitions that is known. */
class SoleWriters {
  readonly #newest = new Map<string, number>();
  readonly #known = new Map<string, number>();

  /** @returns what throws Unavailable `overtaken` once a newer writer of that name has appended to the partition. */
  begin(name: string): (to: TopicPartition) => void {
    const number = (this.#newest.get(name) ?? 0) + 1;
    this.#newest.set(name, number);
    return ({ topic, partition }) => {
      const place = JSON.stringify([name, topic, partition]);
      const known = this.#known.get(place) ?? 0;
      if (known > number)
        throw new Unavailable('overtaken', `another writer ${name} appends to ${topic}/${partition} now`);
      this.#known.set(place, number);
    };
  }
}

class EmbeddedWriter implements LogWriter {
  readonly #append: (to: TopicPartition, records: readonly AppendRecord[]) => number;
  #closed = false;

  constructor(append: (to: TopicPartition, records: readonly AppendRecord[]) => number) {
    this.#append = append;
  }

  async append(to: TopicPartition, records: readonly AppendRecord[]): Promise<number> {
    if (this.#closed) throw new Invalid('closed', 'this writer is closed');
    if (records.length === 0) throw new Invalid('empty-append', `no records for ${to.topic}/${to.partition}`);
    return this.#append(to, records);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

class EmbeddedAdmin implements LogAdmin {
  readonly #topics: Topics;
  readonly #assertOpen: () => void;

  constructor(topics: Topics, assertOpen: () => void) {
    this.#topics = topics;
    this.#assertOpen = assertOpen;
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    this.#assertOpen();
    for (const spec of specs) {
      const existing = this.#topics.find(spec.topic)?.spec;
      if (existing === undefined) this.#topics.create(spec);
      else if (existing.partitions !== spec.partitions) throw topicMismatch(spec, existing.partitions);
    }
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    this.#assertOpen();
    for (const topic of topics) this.#topics.delete(topic);
  }

  async partitionCount(topic: string): Promise<number | null> {
    this.#assertOpen();
    return this.#topics.find(topic)?.spec.partitions ?? null;
  }

  async describe(topic: string): Promise<TopicSettings | null> {
    this.#assertOpen();
    const spec = this.#topics.find(topic)?.spec;
    if (spec === undefined) return null;
    const { partitions, cleanup, retentionMs, compactionLagMs = 0, recordBytesMax } = spec;
    const isAppendTime = true;
    return { partitions, isAppendTime, cleanup, retentionMs, retentionBytes: null, compactionLagMs, recordBytesMax };
  }

  async offsets(topic: string): Promise<readonly { readonly start: number; readonly end: number }[]> {
    this.#assertOpen();
    return this.#topics.get(topic).partitions.map(({ start, end }) => ({ start, end }));
  }

  async offsetsAt(topic: string, timeMs: number): Promise<readonly number[]> {
    this.#assertOpen();
    return this.#topics.get(topic).partitions.map((partition) => partition.firstAppendedAt(timeMs));
  }
}

function topicMismatch(spec: TopicSpec, actual: number): Invalid {
  return new Invalid('topic-mismatch', `topic "${spec.topic}" has ${actual} partitions, ${spec.partitions} are wanted`);
}
