/**
 * What the snapshots topic holds of the experiments of one publisher: so that nothing is published twice, nothing older
 * after something newer, and no part of a large snapshot is left behind. Owns a view of the topic and the writer: the
 * only one of its name, so that a publisher that was frozen and overtaken can append no more.
 */
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { AT_START, type ExperimentId } from '../core/events.ts';
import { reflectedBy } from '../core/learning/tally.ts';
import { CompactedView, type CompactedViewOptions } from '../platform/compacted-view.ts';
import { partitionOf } from '../platform/log/partitioner.ts';
import type { LogRecord, LogWriter } from '../platform/log/port.ts';
import { partitionsOf, takeOver } from '../platform/log/sole-writer.ts';
import { WholeWriter } from '../platform/log/whole-writer.ts';
import { isOlder } from '../platform/snapshots-view.ts';

export interface PublishedOptions extends CompactedViewOptions<ParametersSnapshot> {
  /** Of the whole topic, of which some may not be followed. */
  readonly partitionCount: number;
  /** Of the publishers of the same experiments the last one writes. */
  readonly writerName: string;
  owns(experimentId: ExperimentId): boolean;
}

type Standing = Pick<ParametersSnapshot, 'version' | 'experimentVersion' | 'digest' | 'offsets'>;

export class Published extends CompactedView<ParametersSnapshot> {
  private readonly options: PublishedOptions;
  /** From the first append to the first failure. */
  private writer: LogWriter | null = null;
  private readonly newest = new Map<ExperimentId, Standing>();
  /** Where our own record of an experiment stands: it need not be decoded again. */
  private readonly ownOffsets = new Map<ExperimentId, number>();

  constructor(options: PublishedOptions) {
    super(options);
    this.options = options;
  }

  override async stop(): Promise<void> {
    await super.stop();
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
    const { topic, partitionCount, codec } = this.options;
    const { experimentId } = snapshot;
    const to = { topic, partition: partitionOf(experimentId, partitionCount) };
    const writer = this.writer ?? (await this.takeOver());
    if (!this.lacks(snapshot)) return;
    try {
      const value = codec.encode(snapshot);
      const offset = await new WholeWriter(writer, this.partKeys).write(to, [{ key: experimentId, value }]);
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
    const { log, topic, partitionCount, writerName } = this.options;
    const writer = await takeOver(log, writerName, partitionsOf(topic, partitionCount));
    try {
      await this.catchUp();
    } catch (error) {
      await writer.close();
      throw error;
    }
    this.writer = writer;
    return writer;
  }

  protected override isWanted({ key, offset }: LogRecord): boolean {
    const experimentId = key as ExperimentId;
    return this.options.owns(experimentId) && this.ownOffsets.get(experimentId) !== offset;
  }

  protected take(snapshot: ParametersSnapshot): void {
    const newest = this.newest.get(snapshot.experimentId);
    if (newest === undefined || !isOlder(snapshot, newest)) this.newest.set(snapshot.experimentId, snapshot);
  }
}

/** Whether some partition is reflected less far than before. */
function goesBack(from: ParametersSnapshot['offsets'], to: ParametersSnapshot['offsets']): boolean {
  return from.some((cut) => !reflectedBy(cut, to.find(({ partition }) => partition === cut.partition) ?? AT_START));
}
