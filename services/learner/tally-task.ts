/**
 * Learns one input partition for as long as it is owned: read, fold, commit, publish what changed.
 * Correctness rests on the store's atomic commit and on tallies being pure functions of offsets: whatever is lost or
 * done twice between a commit and its publication is published again.
 */
import type { Codecs } from '../contracts/codec.ts';
import { deadLetter } from '../contracts/dead-letter.ts';
import { cohortSumsKey, type TopicNames, tallyKey } from '../contracts/keys.ts';
import { Unavailable } from '../core/errors.ts';
import { type Decision, type PerStream, STREAMS } from '../core/events.ts';
import { isSameCut, type ProgressTally, reflectedBy } from '../core/learning/tally.ts';
import type { InputReader } from '../platform/join/input-reader.ts';
import type { Committed, EncodedTally, PartitionJoin, Refused } from '../platform/join/partition-join.ts';
import { inBatches } from '../platform/log/batches.ts';
import type { AppendRecord, LogWriter, Position } from '../platform/log/port.ts';
import { TalliesWriter } from '../platform/tallies-writer.ts';

export interface TallyTaskOptions {
  readonly partition: number;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  readonly join: PartitionJoin;
  readonly reader: InputReader;
  readonly writer: LogWriter;
  readonly talliesPartitions: number;
  readonly deadLettersPartitions: number;
  /** Up to here every tally is published, by whomever, of all lines but the promoted ones that are not named. */
  readonly published: Pick<ProgressTally, 'offsets' | 'lines'>;
  /** Whether other lines are learned now than when the join was opened. */
  isPromoted(): boolean;
  /** Nothing is published before the join stands here: some tally of an earlier owner reflects this much. */
  readonly publishFrom: PerStream;
  /** Keys of tallies that were found on the log, of cohorts that are rolled up. */
  readonly covered: readonly string[];
  /** Of the parts that were found there, by the key of the tally. */
  readonly partKeys: Map<string, Set<string>>;
  /** Asked when a unit is not where it belongs. @throws Corrupt when the topics have been given more partitions. */
  assertPartitions(): Promise<void>;
  /** Definitions may be newer than what has been read of them: asked for when an event names an unknown one. */
  catchUpExperiments(): Promise<void>;
  knowsExperiment(decision: Pick<Decision, 'experimentId' | 'experimentVersion'>): boolean;
  readonly commitIntervalMs: number;
  nowMs(): number;
  readonly observer: TallyObserver;
}

/** Told of what happens, for metrics and logs. */
export interface TallyObserver {
  folded(task: TallyTask, records: number): void;
  refused(refused: Refused): void;
  committed(task: TallyTask, timing: { readonly commitMs: number; readonly publishMs: number }): void;
}

export class TallyTask {
  readonly partition: number;
  readonly join: PartitionJoin;
  private readonly options: TallyTaskOptions;
  /** Tallies that are committed but not known to be published, by key; the newest of each. */
  private readonly unpublished = new Map<string, EncodedTally>();
  /** Keys of cohorts that are rolled up: removed from the log once the roll-up is there. */
  private readonly covered: Set<string>;
  private readonly tallies: TalliesWriter;
  private publishedUpTo: PerStream;
  private committed: PerStream;
  private refused: Refused[] = [];
  private mayPublish = false;

  constructor(options: TallyTaskOptions) {
    this.options = options;
    this.partition = options.partition;
    this.join = options.join;
    this.committed = options.join.state.offsets;
    this.publishedUpTo = options.published.offsets;
    this.covered = new Set(options.covered);
    const { writer, topics, codecs, talliesPartitions: partitions, partKeys } = options;
    this.tallies = new TalliesWriter({ writer, topic: topics.tallies, partitions, codec: codecs.tally, partKeys });
  }

  /** Up to where the inputs are learned and published. */
  published(): Position[] {
    const { topics } = this.options;
    const { partition, publishedUpTo } = this;
    return STREAMS.map((stream) => ({ topic: topics[stream], partition, offset: publishedUpTo[stream] }));
  }

  /** Runs until stopped, then commits and publishes a last time. @throws what stopped it, with nothing half committed. */
  async run(stop: AbortSignal): Promise<void> {
    try {
      for (const tally of this.join.unpublished(this.options.published)) this.rememberOne(tally);
      await this.publish();
      await this.loop(stop);
    } finally {
      await this.options.reader.close();
    }
  }

  private async loop(stop: AbortSignal): Promise<void> {
    const { commitIntervalMs, nowMs } = this.options;
    let commitAtMs = nowMs() + commitIntervalMs;
    while (!stop.aborted) {
      await this.step(Math.max(1, commitAtMs - nowMs()));
      if (nowMs() < commitAtMs) continue;
      await this.commit();
      commitAtMs = nowMs() + commitIntervalMs;
    }
    await this.commit();
  }

  private async step(waitMsMax: number): Promise<void> {
    const { reader, observer, knowsExperiment, catchUpExperiments } = this.options;
    const records = await reader.read(waitMsMax);
    const isNew = records.some(({ event }) => 'experimentVersion' in event && !knowsExperiment(event));
    if (isNew) await catchUpExperiments();
    // Nothing waits between this and the fold: what is learned here is learned by what the join was opened with.
    if (this.options.isPromoted())
      throw new Unavailable('promoted', `partition ${this.partition}: learned by others now`);
    const refused = this.join.fold(records);
    if (refused.some(({ reason }) => reason.code === 'wrong-partition')) await this.options.assertPartitions();
    for (const one of refused) observer.refused(one);
    this.refused.push(...refused);
    observer.folded(this, records.length);
  }

  private async commit(): Promise<void> {
    const { join, options } = this;
    const { offsets } = join.state;
    if (isSameCut(offsets, this.committed)) return;
    const startedMs = options.nowMs();
    await this.appendDeadLetters();
    this.remember(await join.commit(this.publishedUpTo));
    this.committed = offsets;
    const committedMs = options.nowMs();
    await this.publish();
    options.observer.committed(this, { commitMs: committedMs - startedMs, publishMs: options.nowMs() - committedMs });
  }

  private remember({ tallies, rolledUp }: Committed): void {
    for (const { experimentId, into, gone } of rolledUp) {
      for (const cohort of [...gone, into]) {
        const key = cohortSumsKey(experimentId, this.partition, cohort);
        this.unpublished.delete(key);
        this.covered.add(key);
      }
    }
    for (const tally of tallies) this.rememberOne(tally);
  }

  private rememberOne(tally: EncodedTally): void {
    this.unpublished.set(tallyKey(tally, this.partition), tally);
  }

  /** Before the commit: a crash in between repeats dead letters, never loses one. */
  private async appendDeadLetters(): Promise<void> {
    const { topics, codecs, writer, partition, deadLettersPartitions } = this.options;
    const records = this.refused.map(({ record: { stream, record }, reason }): AppendRecord => {
      const letter = deadLetter({ topic: topics[stream], partition, ...record }, reason);
      return { key: letter.key, value: codecs.deadLetter.encode(letter) };
    });
    const to = { topic: topics.deadLetters, partition: partition % deadLettersPartitions };
    for (const batch of inBatches(records)) await writer.append(to, batch);
    this.refused = [];
  }

  /**
   * Sums first, then tombstones for what they cover, progress last: the progress record says that all of its partition's
   * sums are there.
   */
  private async publish(): Promise<void> {
    const { join } = this;
    if (!this.mayPublish && !(await this.catchesUp())) return;
    if (this.unpublished.size === 0 && this.committed === this.publishedUpTo) return;
    await this.tallies.write([...this.unpublished].map(([key, { value }]) => ({ key, value })));
    await this.tallies.write([...this.covered].map((key) => ({ key, value: null })));
    this.covered.clear();
    await this.tallies.writeProgress(join.progress());
    this.unpublished.clear();
    this.publishedUpTo = this.committed;
  }

  /** @returns whether the join stands where it may publish; then all that waited for it has a cut no older than that. */
  private async catchesUp(): Promise<boolean> {
    const { join, publishFrom } = this.options;
    if (!reflectedBy(publishFrom, join.state.offsets)) return false;
    this.remember(await join.restamp(this.unpublished.values(), this.publishedUpTo));
    this.mayPublish = true;
    return true;
  }
}
