/**
 * The publish role for one partition of the tallies: merges what the input partitions report of each experiment and
 * publishes a snapshot when it changed. Owns the merged sums and the snapshot last published; all of it is a cache of
 * the tallies topic, read from its start.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { sealSnapshot } from '../contracts/seal.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { Corrupt, Invalid, type Unavailable } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import { ReportedSums } from '../core/learning/reported.ts';
import { getOrInsert } from '../core/learning/sums.ts';
import type { CohortTally } from '../core/learning/tally.ts';
import { TopicFollower } from '../platform/log/follower.ts';
import { partitionOf } from '../platform/log/partitioner.ts';
import type { Log, LogWriter, RecordBatch } from '../platform/log/port.ts';
import { Signal } from '../platform/log/signal.ts';
import { partitionsOf, takeOver } from '../platform/log/sole-writer.ts';

export interface PublisherOptions {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  /** The partition of the tallies that it owns. */
  readonly partition: number;
  readonly talliesPartitions: number;
  readonly snapshotsPartitions: number;
  readonly experiments: ReadonlyMap<ExperimentId, Experiment>;
  readonly observer: PublisherObserver;
  /** The tallies cannot be followed any more: the process should stop loudly. */
  failed(error: unknown): void;
}

export interface PublisherObserver {
  published(snapshot: ParametersSnapshot): void;
  /** Its sums contradict themselves, or a policy cannot work with its definition: the last good snapshot stays. */
  refused(experimentId: ExperimentId, error: Corrupt | Invalid): void;
  unavailable(error: Unavailable): void;
}

export class Publisher {
  private readonly options: PublisherOptions;
  private readonly reported = new Map<ExperimentId, ReportedSums>();
  private readonly dirty = new Set<ExperimentId>();
  private readonly published = new Map<ExperimentId, { readonly digest: string; readonly version: number }>();
  private readonly follower: TopicFollower;
  private readonly news = new Signal();
  /** Of this partition's experiments; gone after a failure. */
  private writer: LogWriter | null = null;

  constructor(options: PublisherOptions) {
    this.options = options;
    this.follower = new TopicFollower({
      log: options.log,
      topic: options.topics.tallies,
      partitions: [options.partition],
      onBatch: (batch) => this.merge(batch),
      onUnavailable: (error) => options.observer.unavailable(error),
      onFailed: (error) => options.failed(error),
    });
  }

  /** Resolves when every tally that is there has been merged. */
  async start(): Promise<void> {
    await this.follower.start();
    await this.catchUp();
    for (const experiment of this.options.experiments.values()) this.defined(experiment);
  }

  /** Resolves when every tally that is there now has been merged. */
  async catchUp(): Promise<void> {
    await this.follower.catchUp();
  }

  async stop(): Promise<void> {
    await this.follower.stop();
    await this.writer?.close();
  }

  /** Resolves when there is something to publish, at the latest after the wait. */
  async changed(waitMsMax: number): Promise<void> {
    if (this.dirty.size === 0) await this.news.wait(waitMsMax);
  }

  /** Ends a wait for changes. */
  wake(): void {
    this.news.fire();
  }

  /** Call when a definition changed: its snapshot may look different now. */
  defined({ id }: Experiment): void {
    const { partition, talliesPartitions } = this.options;
    if (partitionOf(id, talliesPartitions) === partition) this.touch(id);
  }

  /** Publishes a snapshot of each experiment that changed since the last call. @throws Unavailable. */
  async publish(): Promise<void> {
    const writer = this.writer ?? (await this.takeOver());
    for (const experimentId of [...this.dirty]) {
      const experiment = this.options.experiments.get(experimentId);
      // Tallies of a definition not read yet: it stays dirty until the definition comes. So it does while some of the
      // tallies of a cut are not here: their sums would be those of no cut.
      if (experiment === undefined || !this.reportedOf(experimentId).isComplete()) continue;
      this.dirty.delete(experimentId);
      const snapshot = this.build(experiment);
      if (snapshot !== null && this.isNews(snapshot)) await this.append(writer, snapshot);
    }
  }

  /** An earlier publisher may have read further than we: what it read is there now, and it publishes no more. */
  private async takeOver(): Promise<LogWriter> {
    const { log, topics, partition, snapshotsPartitions } = this.options;
    const name = `${topics.snapshots}/${partition}`;
    const writer = await takeOver(log, name, partitionsOf(topics.snapshots, snapshotsPartitions));
    try {
      await this.catchUp();
    } catch (error) {
      await writer.close();
      throw error;
    }
    this.writer = writer;
    return writer;
  }

  private async append(writer: LogWriter, snapshot: ParametersSnapshot): Promise<void> {
    const { topics, codecs, snapshotsPartitions, observer } = this.options;
    const { experimentId } = snapshot;
    const to = { topic: topics.snapshots, partition: partitionOf(experimentId, snapshotsPartitions) };
    try {
      await writer.append(to, [{ key: experimentId, value: codecs.snapshot.encode(snapshot) }]);
    } catch (error) {
      this.dirty.add(experimentId);
      this.writer = null;
      await writer.close();
      throw error;
    }
    this.published.set(experimentId, snapshot);
    observer.published(snapshot);
  }

  private isNews({ experimentId, digest, version }: ParametersSnapshot): boolean {
    const last = this.published.get(experimentId);
    return last === undefined || last.digest !== digest || version > last.version;
  }

  private build(experiment: Experiment): ParametersSnapshot | null {
    const reported = this.reportedOf(experiment.id);
    try {
      return sealSnapshot(experiment, reported.sums, reported.cuts());
    } catch (error) {
      if (!(error instanceof Corrupt || error instanceof Invalid)) throw error;
      this.options.observer.refused(experiment.id, error);
      return null;
    }
  }

  private async merge(batch: RecordBatch): Promise<void> {
    const codec = this.options.codecs.tally;
    await codec.prepare(batch.records.map(({ value }) => value));
    for (const { value } of batch.records) {
      if (value === null) continue;
      const tally = codec.decode(value);
      if (tally.kind === 'sums') this.mergeTally(tally);
    }
  }

  private mergeTally(tally: CohortTally): void {
    try {
      if (this.reportedOf(tally.experimentId).accept(tally) !== 'newer') return;
    } catch (error) {
      if (!(error instanceof Corrupt)) throw error;
      this.options.observer.refused(tally.experimentId, error);
      return;
    }
    this.touch(tally.experimentId);
  }

  private touch(experimentId: ExperimentId): void {
    this.dirty.add(experimentId);
    this.news.fire();
  }

  private reportedOf(experimentId: ExperimentId): ReportedSums {
    return getOrInsert(this.reported, experimentId, () => new ReportedSums());
  }
}
