/**
 * What the snapshots topic holds of the experiments of one publisher: so that nothing is published twice, nothing older
 * after something newer, and no part of a large snapshot is left behind. Owns its follower, a cache of the topic, and the
 * writer: the only one of its name, so that a publisher that was frozen and overtaken can append no more.
 */
import type { Codec } from '../contracts/codec.ts';
import { Assembler } from '../contracts/parts.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { Invalid, type Unavailable } from '../core/errors.ts';
import { AT_START, type ExperimentId } from '../core/events.ts';
import { reflectedBy } from '../core/learning/tally.ts';
import { TopicFollower } from '../platform/log/follower.ts';
import { partitionOf } from '../platform/log/partitioner.ts';
import type { Log, LogRecord, LogWriter, RecordBatch } from '../platform/log/port.ts';
import { partitionsOf, takeOver } from '../platform/log/sole-writer.ts';
import { WholeWriter } from '../platform/log/whole-writer.ts';
import { isOlder } from '../platform/snapshots-view.ts';

export interface PublishedOptions {
  readonly log: Log;
  readonly topic: string;
  readonly partitions: number;
  readonly codec: Codec<ParametersSnapshot>;
  /** Of the publishers of the same experiments the last one writes. */
  readonly writerName: string;
  /** Those to follow; all when left out. */
  readonly followed?: readonly number[];
  owns(experimentId: ExperimentId): boolean;
  onRefused(experimentId: ExperimentId, error: Invalid): void;
  onUnavailable(error: Unavailable): void;
  onFailed(error: unknown): void;
}

type Standing = Pick<ParametersSnapshot, 'version' | 'experimentVersion' | 'digest' | 'offsets'>;

export class Published {
  private readonly options: PublishedOptions;
  private readonly assembler = new Assembler<LogRecord>();
  private readonly follower: TopicFollower;
  /** From the first append to the first failure. */
  private writer: LogWriter | null = null;
  private readonly newest = new Map<ExperimentId, Standing>();
  /** Where our own record of an experiment stands: it need not be decoded again. */
  private readonly ownOffsets = new Map<ExperimentId, number>();

  constructor(options: PublishedOptions) {
    this.options = options;
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
    await this.writer?.close();
  }

  /** Whether the topic lacks this snapshot. One older than what is there, in any partition, is no news. */
  lacks({ experimentId, ...snapshot }: ParametersSnapshot): boolean {
    const newest = this.newest.get(experimentId);
    if (newest === undefined) return true;
    // A promoted line begins behind, and not in all partitions at once.
    if (goesBack(newest.offsets, snapshot.offsets)) return false;
    if (isOlder(newest, snapshot)) return true;
    return !isOlder(snapshot, newest) && newest.digest !== snapshot.digest;
  }

  /**
   * Unless the topic turns out to have it, or a newer one.
   * @throws Unavailable when it may or may not be there.
   */
  async append(snapshot: ParametersSnapshot): Promise<void> {
    const { topic, partitions, codec } = this.options;
    const { experimentId } = snapshot;
    const to = { topic, partition: partitionOf(experimentId, partitions) };
    const writer = this.writer ?? (await this.takeOver());
    if (!this.lacks(snapshot)) return;
    try {
      const value = codec.encode(snapshot);
      const offset = await new WholeWriter(writer, this.assembler.partKeys).write(to, [{ key: experimentId, value }]);
      this.ownOffsets.set(experimentId, offset!);
      this.newest.set(experimentId, snapshot);
    } catch (error) {
      this.writer = null;
      await writer.close();
      throw error;
    }
  }

  /** Ends earlier publishers, then reads what they have left. */
  private async takeOver(): Promise<LogWriter> {
    const { log, topic, partitions, writerName } = this.options;
    const writer = await takeOver(log, writerName, partitionsOf(topic, partitions));
    try {
      await this.follower.catchUp();
    } catch (error) {
      await writer.close();
      throw error;
    }
    this.writer = writer;
    return writer;
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
      if (newest === undefined || !isOlder(snapshot, newest)) this.newest.set(snapshot.experimentId, snapshot);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      this.options.onRefused(key as ExperimentId, error);
    }
  }
}

/** Whether some partition is reflected less far than before. */
function goesBack(from: ParametersSnapshot['offsets'], to: ParametersSnapshot['offsets']): boolean {
  return from.some((cut) => !reflectedBy(cut, to.find(({ partition }) => partition === cut.partition) ?? AT_START));
}
