/**
 * The log port: all that Croupier asks of a partitioned, durable log. Narrow on purpose, so that two adapters
 * (kafka, embedded) can pass one conformance suite (test/conformance). Offsets and times are numbers, times in ms.
 * Every call may throw Unavailable (retry with a limit) or Invalid (unknown topic, record too large, …).
 */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** An offset to read next, or up to which something is done. */
export type Position = TopicPartition & { readonly offset: number };

export interface LogRecord {
  readonly offset: number;
  /** When the log appended it (LogAppendTime), never the producer's word. */
  readonly appendTimeMs: number;
  readonly key: string | null;
  /** `null` is a tombstone. */
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface RecordBatch extends TopicPartition {
  /** Ascending offsets, perhaps with gaps; may be empty when only the position moved (compacted or control records). */
  readonly records: readonly LogRecord[];
  /** Offset to read next: one past the last record, or further over gaps. */
  readonly nextOffset: number;
}

/** Reads assigned partitions from chosen offsets. Belongs to no group; commits nothing. */
export interface LogReader {
  /**
   * Replaces the assignment. An offset below the log's start reads from the start; one beyond its end makes poll throw
   * Corrupt `offset-beyond-end`: whoever remembers it has seen records that the log has lost.
   */
  assign(positions: readonly Position[]): void;
  /** Moves one assigned partition; records fetched ahead are discarded. */
  seek(to: Position): void;
  /**
   * At most one batch for each assigned partition, in offset order; empty when nothing came within the wait.
   * Of several partitions, what was appended first comes first, as far as that is known within the wait. Calls do not overlap.
   */
  poll(options: { readonly maxRecords: number; readonly waitMsMax: number }): Promise<readonly RecordBatch[]>;
  /** A poll under way ends at once, with nothing. */
  close(): Promise<void>;
}

export interface AppendRecord {
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Appends with acknowledgement of all replicas. Concurrent appends to one partition keep the order of the calls; when
 * one fails as Unavailable, those queued behind it fail too. A record whose answer was lost may be there, and its copy
 * may even arrive late: who appends it again must not care which copy is read last.
 */
export interface LogWriter {
  /**
   * One batch to one partition: all of it or nothing, in order, adjacent. At least one record; together no more than the
   * topic's `recordBytesMax` as counted by `appendBytes` (append-bytes.ts).
   * @returns offset of the first record.
   * @throws Invalid `empty-append`, `record-too-large`, `unknown-topic`, `invalid-record` (no key in a compacted topic);
   * Unavailable when not acknowledged: it may or may not be there.
   */
  append(to: TopicPartition, records: readonly AppendRecord[]): Promise<number>;
  close(): Promise<void>;
}

/** While a handler runs, the member cannot take part in a hand-over: start or stop the work, then return. */
export interface MembershipHandlers {
  /** Newly owned partitions. */
  assigned(partitions: readonly number[]): Promise<void>;
  /** Stop working on these before returning; the next owner is waiting. */
  revoked(partitions: readonly number[]): Promise<void>;
}

/** Shares the partitions of one topic among the members of a group. Assigns only; offsets live in our own state. */
export interface GroupMembership {
  /** Returns once a member; partitions come through the handlers, each only after its last owner gave it up. */
  join(options: {
    readonly groupId: string;
    readonly topic: string;
    readonly sessionTimeoutMs: number;
    readonly handlers: MembershipHandlers;
    /**
     * Up to where the work on what is owned is done. Asked now and then, and told to the log for those who watch groups
     * from outside (lag dashboards), where there may be any; nobody here ever reads it.
     */
    positions?(): readonly Position[];
  }): Promise<void>;
  /** Revokes what is owned, then leaves. */
  leave(): Promise<void>;
  /**
   * Settles when membership is over: resolves after `leave`, rejects when a handler threw or the group refused us for
   * good (what was owned has been revoked). Left unheard, a rejection stops the process, as it should.
   */
  readonly ended: Promise<void>;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  /** Copies of each partition, on as many brokers; what the cluster has by default when left out. */
  readonly replication?: number;
  readonly cleanup: 'compact' | 'delete';
  /** For `delete`; `null` keeps for ever. */
  readonly retentionMs: number | null;
  /** For `compact`: how long older records of a key stay beside the newest, at least; 0 when left out. */
  readonly compactionLagMs?: number;
  /** Most bytes of one append, all its records together (`appendBytes`), and so of one record. */
  readonly recordBytesMax: number;
}

/** How a topic is kept, as the log has it; times and sizes are `null` where they have no limit. */
export interface TopicSettings {
  readonly partitions: number;
  readonly isAppendTime: boolean;
  /** As the log calls it, such as `compact` or `compact,delete`. */
  readonly cleanup: string;
  readonly retentionMs: number | null;
  readonly retentionBytes: number | null;
  readonly compactionLagMs: number;
  readonly recordBytesMax: number;
}

export interface LogAdmin {
  /** Creates what is missing. @throws Invalid `topic-mismatch` when one is there with another partition count. */
  createTopics(specs: readonly TopicSpec[]): Promise<void>;
  deleteTopics(topics: readonly string[]): Promise<void>;
  /** @returns the partition count, or `null` when there is no such topic. */
  partitionCount(topic: string): Promise<number | null>;
  /** @returns how a topic is kept, or `null` when there is no such topic. */
  describe(topic: string): Promise<TopicSettings | null>;
  /** By partition, the first offset still there and the end: one past the last record that can be read. */
  offsets(topic: string): Promise<readonly { readonly start: number; readonly end: number }[]>;
  /** By partition, the first offset appended at or after the time; the end when there is none. */
  offsetsAt(topic: string, timeMs: number): Promise<readonly number[]>;
}

/** One connection to one log; `main.ts` chooses which. */
export interface Log {
  reader(): LogReader;
  writer(): LogWriter;
  /**
   * The newest writer of a name. Its first append to a partition ends all earlier ones of that name there: nothing that
   * they send, or sent before without an answer, arrives any more. They are told Unavailable `overtaken`. After any
   * Unavailable a sole writer takes no more: ask for a new one, if the work is still yours. See sole-writer.ts.
   * @throws Unavailable.
   */
  soleWriter(name: string): Promise<LogWriter>;
  membership(): GroupMembership;
  readonly admin: LogAdmin;
  close(): Promise<void>;
}
