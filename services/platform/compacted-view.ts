/**
 * What views of a compacted topic have in common: follow it, put values in parts together, decode, and report what cannot
 * be read while the last good value stays. Owns its follower. Not here: which of two values stands.
 */
import type { Codec } from '../contracts/codec.ts';
import { Assembler } from '../contracts/parts.ts';
import { Invalid, type Unavailable } from '../core/errors.ts';
import { TopicFollower } from './log/follower.ts';
import type { Log, LogRecord } from './log/port.ts';

/** What a value was read from. */
export type ValueSource = Pick<LogRecord, 'key' | 'value' | 'appendTimeMs'>;

export interface CompactedViewOptions<T> {
  readonly log: Log;
  readonly topic: string;
  /** Those to follow; all when left out. */
  readonly partitions?: readonly number[];
  readonly codec: Codec<T>;
  onRefused(error: Invalid, record: ValueSource): void;
  onUnavailable(error: Unavailable): void;
  /** Called when following ended for good: what was read stays as it is. */
  onFailed?(error: unknown): void;
}

export abstract class CompactedView<T> {
  /** Keys of the parts that are on the log, by the key of the value. */
  protected readonly partKeys: Map<string, Set<string>>;
  private readonly reading: CompactedViewOptions<T>;
  private readonly follower: TopicFollower;

  constructor(options: CompactedViewOptions<T>) {
    this.reading = options;
    const assembler = new Assembler<LogRecord>((error, record) => options.onRefused(error, record));
    this.partKeys = assembler.partKeys;
    this.follower = new TopicFollower({
      log: options.log,
      topic: options.topic,
      ...(options.partitions === undefined ? {} : { partitions: options.partitions }),
      onBatch: ({ records }) => this.accept(assembler.assemble(records).filter((record) => this.isWanted(record))),
      onUnavailable: (error) => options.onUnavailable(error),
      onFailed: (error) => options.onFailed?.(error),
    });
  }

  /** Resolves when everything that is there has been read; harmless to repeat after Unavailable. */
  async start(): Promise<void> {
    await this.follower.start();
    await this.follower.catchUp();
  }

  /** Resolves when everything that is there now has been read. */
  async catchUp(): Promise<void> {
    await this.follower.catchUp();
  }

  async stop(): Promise<void> {
    await this.follower.stop();
  }

  /** Takes whole values from elsewhere, such as a mirror of the topic, as if they had been read. */
  async accept(records: readonly ValueSource[]): Promise<void> {
    const { codec } = this.reading;
    await codec.prepare(records.map(({ value }) => value));
    for (const record of records) {
      if (record.value === null) continue;
      try {
        this.take(codec.decode(record.value), record);
      } catch (error) {
        if (!(error instanceof Invalid)) throw error;
        this.reading.onRefused(error, record);
      }
    }
  }

  /** Asked of what is read before it is decoded. */
  protected isWanted(_record: LogRecord): boolean {
    return true;
  }

  /** @throws Invalid when the value cannot stand; it is reported and left out. */
  protected abstract take(value: T, source: ValueSource): void;
}
