/**
 * The publish role for one partition of the tallies: merges what the input partitions report of each experiment and
 * publishes a snapshot when it changed. Owns the merged sums, a cache of the tallies topic, read from its start.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { Assembler, wholeKey } from '../contracts/parts.ts';
import { sealSnapshot } from '../contracts/seal.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { Corrupt, Invalid, type Unavailable } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import { type Experiment, experimentOfLine, lineOf } from '../core/experiment.ts';
import { ReportedSums } from '../core/learning/reported.ts';
import { getOrInsert } from '../core/learning/sums.ts';
import type { CohortTally } from '../core/learning/tally.ts';
import { TopicFollower } from '../platform/log/follower.ts';
import { partitionOf } from '../platform/log/partitioner.ts';
import type { Log, LogRecord, RecordBatch } from '../platform/log/port.ts';
import { Signal } from '../platform/log/signal.ts';
import { Published } from './published.ts';

export interface PublisherOptions {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  /** The partition of the tallies that it owns. */
  readonly partition: number;
  readonly talliesPartitions: number;
  readonly snapshotsPartitions: number;
  readonly experiments: ReadonlyMap<ExperimentId, Experiment>;
  /** Decisions and counted rewards that must be new before a snapshot is … */
  readonly publishEventsMin: number;
  /** … unless the last one is this old. */
  readonly publishWaitMsMax: number;
  nowMs(): number;
  readonly observer: PublisherObserver;
  /** The tallies cannot be followed any more: the process should stop loudly. */
  failed(error: unknown): void;
}

export interface PublisherObserver {
  published(snapshot: ParametersSnapshot, timing: { readonly publishMs: number }): void;
  /** Its sums contradict themselves, or a policy cannot work with its definition: the last good snapshot stays. */
  refused(experimentId: ExperimentId, error: Corrupt | Invalid): void;
  unavailable(error: Unavailable): void;
}

export class Publisher {
  private readonly options: PublisherOptions;
  /** By line. */
  private readonly reported = new Map<ExperimentId, ReportedSums>();
  private readonly dirty = new Set<ExperimentId>();
  /** What each experiment had at its last snapshot; none after a change of its definition. */
  private readonly last = new Map<ExperimentId, { readonly events: number; readonly atMs: number }>();
  private readonly assembler = new Assembler<LogRecord>();
  private readonly follower: TopicFollower;
  private readonly published: Published;
  private readonly news = new Signal();

  constructor(options: PublisherOptions) {
    this.options = options;
    const { log, topics, codecs, observer, partition, talliesPartitions, snapshotsPartitions } = options;
    this.follower = new TopicFollower({
      log,
      topic: topics.tallies,
      partitions: [partition],
      onBatch: (batch) => this.merge(batch),
      onUnavailable: (error) => observer.unavailable(error),
      onFailed: (error) => options.failed(error),
    });
    this.published = new Published({
      log,
      topic: topics.snapshots,
      partitionCount: snapshotsPartitions,
      ...(snapshotsPartitions === talliesPartitions ? { partitions: [partition] } : {}),
      codec: codecs.snapshot,
      writerName: `${topics.snapshots}/${partition}`,
      owns: (experimentId) => this.owns(experimentId),
      onRefused: (error, { key }) => observer.refused(wholeKey(key!) as ExperimentId, error),
      onUnavailable: (error) => observer.unavailable(error),
      onFailed: (error) => options.failed(error),
    });
  }

  /** Resolves when all that is there has been read. */
  async start(): Promise<void> {
    await this.published.start();
    await this.follower.start();
    await this.catchUp();
    for (const experiment of this.options.experiments.values()) this.defined(experiment);
  }

  /** Resolves when every tally that is there now has been merged. */
  async catchUp(): Promise<void> {
    await this.follower.catchUp();
  }

  async stop(): Promise<void> {
    await Promise.all([this.follower.stop(), this.published.stop()]);
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
    if (!this.owns(id)) return;
    this.last.delete(id);
    this.touch(id);
  }

  /** Publishes a snapshot of each experiment that changed enough since the last one. @throws Unavailable. */
  async publish(options: { readonly all?: boolean } = {}): Promise<void> {
    for (const experimentId of [...this.dirty]) {
      const experiment = this.options.experiments.get(experimentId);
      // Tallies of a definition not read yet: it stays dirty until the definition comes. So it does while some of the
      // tallies of a cut are not here: their sums would be those of no cut.
      if (experiment === undefined || !this.reportedOf(experiment).isComplete()) continue;
      if (!options.all && !this.isDue(experiment)) continue;
      await this.publishOne(experiment);
    }
  }

  private async publishOne(experiment: Experiment): Promise<void> {
    const { id } = experiment;
    const startedMs = this.options.nowMs();
    this.dirty.delete(id);
    const snapshot = this.build(experiment);
    if (snapshot === null) return;
    if (this.published.lacks(snapshot)) {
      try {
        await this.published.append(snapshot);
      } catch (error) {
        this.dirty.add(id);
        throw error;
      }
      this.options.observer.published(snapshot, { publishMs: this.options.nowMs() - startedMs });
    }
    this.last.set(id, { events: this.reportedOf(experiment).sums.eventCount, atMs: this.options.nowMs() });
  }

  private isDue(experiment: Experiment): boolean {
    const { publishEventsMin, publishWaitMsMax, nowMs } = this.options;
    const last = this.last.get(experiment.id);
    if (last === undefined) return true;
    const events = this.reportedOf(experiment).sums.eventCount - last.events;
    return events >= publishEventsMin || nowMs() - last.atMs >= publishWaitMsMax;
  }

  private build(experiment: Experiment): ParametersSnapshot | null {
    const reported = this.reportedOf(experiment);
    try {
      return sealSnapshot(experiment, reported.sums, reported.cuts());
    } catch (error) {
      if (!(error instanceof Corrupt || error instanceof Invalid)) throw error;
      this.options.observer.refused(experiment.id, error);
      return null;
    }
  }

  private async merge({ records }: RecordBatch): Promise<void> {
    const codec = this.options.codecs.tally;
    const wholes = this.assembler.assemble(records);
    await codec.prepare(wholes.map(({ value }) => value));
    for (const { value } of wholes) {
      // What is removed is covered by a roll-up, which takes its place when it is read.
      if (value === null) continue;
      const tally = codec.decode(value);
      if (tally.kind === 'sums') this.mergeTally(tally);
    }
  }

  private mergeTally(tally: CohortTally): void {
    try {
      if (this.reportedAs(tally.experimentId).accept(tally) === 'newer')
        this.touch(experimentOfLine(tally.experimentId));
    } catch (error) {
      if (!(error instanceof Corrupt)) throw error;
      this.options.observer.refused(tally.experimentId, error);
    }
  }

  private owns(experimentId: ExperimentId): boolean {
    return partitionOf(experimentId, this.options.talliesPartitions) === this.options.partition;
  }

  private touch(experimentId: ExperimentId): void {
    this.dirty.add(experimentId);
    this.news.fire();
  }

  /** Sums of the line that the definition learns, and of no other. */
  private reportedOf(experiment: Experiment): ReportedSums {
    return this.reportedAs(lineOf(experiment));
  }

  private reportedAs(line: ExperimentId): ReportedSums {
    return getOrInsert(this.reported, line, () => new ReportedSums());
  }
}
