/**
 * The newest snapshot of each experiment, held in memory and kept up to date from the `snapshots` topic.
 * Never goes back to an older one; one that cannot be read is reported and the last good one stays.
 * Not here: what decides from it.
 */
import type { Codec } from '../contracts/codec.ts';
import { Assembler } from '../contracts/parts.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { Invalid, type Unavailable } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import { TopicFollower } from './log/follower.ts';
import type { Log, LogRecord } from './log/port.ts';

export interface SnapshotsViewOptions {
  readonly log: Log;
  readonly topic: string;
  readonly codec: Codec<ParametersSnapshot>;
  /** Called after a newer snapshot has taken effect, with what it was read from. */
  onSnapshot?(held: HeldSnapshot, source: SnapshotSource): void;
  onRefused(error: Invalid, record: SnapshotSource): void;
  onUnavailable(error: Unavailable): void;
  /** Called when following ended for good: snapshots stay as they are. */
  onFailed?(error: unknown): void;
}

export interface HeldSnapshot {
  readonly snapshot: ParametersSnapshot;
  /** When the log appended it: its age is counted from here. */
  readonly appendTimeMs: number;
}

export type SnapshotSource = Pick<LogRecord, 'key' | 'value' | 'appendTimeMs'>;

export class SnapshotsView {
  readonly snapshots: ReadonlyMap<ExperimentId, HeldSnapshot>;
  private readonly held = new Map<ExperimentId, HeldSnapshot>();
  private readonly options: SnapshotsViewOptions;
  private readonly follower: TopicFollower;

  constructor(options: SnapshotsViewOptions) {
    this.options = options;
    this.snapshots = this.held;
    const assembler = new Assembler();
    this.follower = new TopicFollower({
      log: options.log,
      topic: options.topic,
      onBatch: ({ records }) => this.accept(assembler.assemble(records)),
      onUnavailable: (error) => options.onUnavailable(error),
      onFailed: (error) => options.onFailed?.(error),
    });
  }

  /** Resolves when every snapshot that is there has been read; harmless to repeat after Unavailable. */
  async start(): Promise<void> {
    await this.follower.start();
    await this.follower.catchUp();
  }

  /** Resolves when every snapshot that is there now has been read. */
  async catchUp(): Promise<void> {
    await this.follower.catchUp();
  }

  async stop(): Promise<void> {
    await this.follower.stop();
  }

  /** Takes snapshots from elsewhere, such as a mirror of the topic, as if they had been read. */
  async accept(records: readonly SnapshotSource[]): Promise<void> {
    await this.options.codec.prepare(records.map(({ value }) => value));
    for (const record of records) {
      if (record.value === null) continue;
      try {
        this.hold({ snapshot: this.options.codec.decode(record.value), appendTimeMs: record.appendTimeMs }, record);
      } catch (error) {
        if (!(error instanceof Invalid)) throw error;
        this.options.onRefused(error, record);
      }
    }
  }

  private hold(read: HeldSnapshot, source: SnapshotSource): void {
    const { experimentId } = read.snapshot;
    const known = this.held.get(experimentId);
    if (known !== undefined && isOlder(read.snapshot, known.snapshot)) return;
    this.held.set(experimentId, read);
    this.options.onSnapshot?.(read, source);
  }
}

type SnapshotRank = Pick<ParametersSnapshot, 'version' | 'experimentVersion'>;

/** Of two that reflect the same events under the same definition neither is older: the one read later stands. */
export function isOlder(a: SnapshotRank, b: SnapshotRank): boolean {
  return a.version < b.version || (a.version === b.version && a.experimentVersion < b.experimentVersion);
}
