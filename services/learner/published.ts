/**
 * What the snapshots topic holds of the experiments of one publisher: so that nothing is published twice, nothing older
 * after something newer, and no part of a large snapshot is left behind. Owns its follower; a cache of the topic.
 */
import type { Codec } from '../contracts/codec.ts';
import { Assembler } from '../contracts/parts.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { Invalid, type Unavailable } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import { TopicFollower } from '../platform/log/follower.ts';
import { partitionOf } from '../platform/log/partitioner.ts';
import type { Log, LogRecord, LogWriter, RecordBatch } from '../platform/log/port.ts';
import { WholeWriter } from '../platform/log/whole-writer.ts';
import { isOlder } from '../platform/snapshots-view.ts';

export interface PublishedOptions {
  readonly log: Log;
  readonly topic: string;
  readonly partitions: number;
  readonly codec: Codec<ParametersSnapshot>;
  readonly writer: LogWriter;
  /** Those to follow; all when left out. */
  readonly followed?: readonly number[];
  owns(experimentId: ExperimentId): boolean;
  /** An older snapshot came after a newer one, which a reader that begins now may never see. */
  onOvertaken(experimentId: ExperimentId): void;
  onRefused(experimentId: ExperimentId, error: Invalid): void;
  onUnavailable(error: Unavailable): void;
  onFailed(error: unknown): void;
}

type Standing = Pick<ParametersSnapshot, 'version' | 'experimentVersion' | 'digest'>;

export class Published {
  private readonly options: PublishedOptions;
  private readonly assembler = new Assembler();
  private readonly follower: TopicFollower;
  private readonly writer: WholeWriter;
  private readonly newest = new Map<ExperimentId, Standing>();
  /** Where our own record of an experiment stands: it need not be decoded again. */
  private readonly ownOffsets = new Map<ExperimentId, number>();

  constructor(options: PublishedOptions) {
    this.options = options;
    this.writer = new WholeWriter(options.writer, this.assembler.partKeys);
    this.follower = new TopicFollower({
      log: options.log,
      topic: options.topic,
      ...(options.followed === undefined ? {} : { partitions: options.followed }),
      onBatch: (batch) => this.read(batch),
      onUnavailable: (error) => options.onUnavailable(error),
      onFailed: (error) => options.onFailed(error),
    });
  }

  /** Resolves when all that is there has been read; harmless to repeat after Unavailable. */
  async start(): Promise<void> {
    await this.follower.start();
    await this.follower.catchUp();
  }

  async stop(): Promise<void> {
    await this.follower.stop();
  }

  /** Whether the topic lacks this snapshot. One older than what is there is no news. */
  lacks({ experimentId, ...snapshot }: ParametersSnapshot): boolean {
    const newest = this.newest.get(experimentId);
    if (newest === undefined || isOlder(newest, snapshot)) return true;
    return !isOlder(snapshot, newest) && newest.digest !== snapshot.digest;
  }

  /** @throws Unavailable when it may or may not be there. */
  async append(snapshot: ParametersSnapshot): Promise<void> {
    const { topic, partitions, codec } = this.options;
    const { experimentId } = snapshot;
    const to = { topic, partition: partitionOf(experimentId, partitions) };
    const offset = await this.writer.write(to, [{ key: experimentId, value: codec.encode(snapshot) }]);
    this.ownOffsets.set(experimentId, offset!);
    this.newest.set(experimentId, snapshot);
  }

  private async read({ records }: RecordBatch): Promise<void> {
    const unknown = this.assembler.assemble(records).filter(({ key, offset }) => {
      const experimentId = key as ExperimentId;
      return this.options.owns(experimentId) && this.ownOffsets.get(experimentId) !== offset;
    });
    await this.options.codec.prepare(unknown.map(({ value }) => value));
    for (const record of unknown) this.take(record);
  }

  private take({ key, value }: LogRecord): void {
    if (value === null) return;
    try {
      const snapshot = this.options.codec.decode(value);
      const newest = this.newest.get(snapshot.experimentId);
      if (newest !== undefined && isOlder(snapshot, newest)) this.options.onOvertaken(snapshot.experimentId);
      else this.newest.set(snapshot.experimentId, snapshot);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      this.options.onRefused(key as ExperimentId, error);
    }
  }
}
