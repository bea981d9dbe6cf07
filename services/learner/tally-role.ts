/**
 * The tally role: one task for each input partition that the group assigns to this process. Owns the tasks and their
 * stores, and what happens when one fails: away → open it again; its store unreadable → begin a new one; fenced → drop it;
 * corrupt → stop the process.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { Corrupt, Fenced, Unavailable } from '../core/errors.ts';
import { AT_START } from '../core/events.ts';
import type { JoinLimits } from '../core/join/group.ts';
import type { ExperimentsView } from '../platform/experiments-view.ts';
import type { InputReaderOptions } from '../platform/join/input-reader.ts';
import {
  assertCoPartitioned,
  assertSameCount,
  type Kept,
  partitionCountOf,
  partitionsChanged,
} from '../platform/log/partition-count.ts';
import type { GroupMembership, Log, LogWriter } from '../platform/log/port.ts';
import { partitionsOf, takeOver } from '../platform/log/sole-writer.ts';
import type { Store } from '../platform/store/port.ts';
import { coveredKeys, publishedReach, type Restored, readTallies, restore } from './restore.ts';
import { type TallyObserver, TallyTask } from './tally-task.ts';

export interface TallyRoleOptions {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  readonly experiments: ExperimentsView;
  readonly limits: JoinLimits;
  openStore(partition: number): Promise<Store>;
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly commitIntervalMs: number;
  readonly rollUpAgeMs: number;
  readonly pollRecordsMax: number;
  readonly reopenDelayMs: number;
  nowMs(): number;
  readonly observer: TallyRoleObserver;
}

export interface TallyRoleObserver extends TallyObserver {
  opened(task: TallyTask, from: Restored['from']): void;
  /** The task will be opened again. */
  lost(partition: number, error: Unavailable): void;
  fenced(partition: number, error: Fenced): void;
  /** Nothing can be done here: the process should stop loudly. */
  failed(error: unknown): void;
}

interface Running {
  readonly stop: AbortController;
  readonly done: Promise<void>;
  task: TallyTask | null;
}

interface PartitionCounts {
  readonly inputs: number;
  readonly tallies: number;
  readonly deadLetters: number;
}

function kept({ inputs }: PartitionCounts): Kept {
  return { what: 'what this learner keeps', count: inputs };
}

export class TallyRole {
  private readonly options: TallyRoleOptions;
  private readonly membership: GroupMembership;
  private readonly running = new Map<number, Running>();

  constructor(options: TallyRoleOptions) {
    this.options = options;
    this.membership = options.log.membership();
  }

  /** The tasks that are open now. */
  tasks(): TallyTask[] {
    return [...this.running.values()].flatMap(({ task }) => (task === null ? [] : [task]));
  }

  /** The partitions owned that are not restored yet. */
  restoring(): number[] {
    return [...this.running].flatMap(([partition, { task }]) => (task === null ? [partition] : []));
  }

  async start(): Promise<void> {
    const counts = await this.partitionCounts();
    this.membership.ended.catch((error: unknown) => this.options.observer.failed(error));
    await this.membership.join({
      groupId: this.options.groupId,
      topic: this.options.topics.decisions,
      sessionTimeoutMs: this.options.sessionTimeoutMs,
      handlers: {
        assigned: async (partitions) => {
          for (const partition of partitions) this.own(partition, counts);
        },
        revoked: async (partitions) => {
          await Promise.all(partitions.map((partition) => this.disown(partition)));
        },
      },
      positions: () => this.tasks().flatMap((task) => task.published()),
    });
  }

  /** Hands everything over: commits, publishes, leaves the group. */
  async stop(): Promise<void> {
    await this.membership.leave();
    await Promise.all([...this.running.keys()].map((partition) => this.disown(partition)));
  }

  private own(partition: number, counts: PartitionCounts): void {
    // Partitions that were added while we run: producers spread units over all of them, and units move.
    if (partition >= counts.inputs) {
      const { observer, topics } = this.options;
      observer.failed(partitionsChanged(topics.decisions, partition + 1, kept(counts)));
      return;
    }
    const stop = new AbortController();
    const running: Running = { stop, task: null, done: Promise.resolve() };
    const done = this.keepOpen(partition, counts, running).catch((error: unknown) =>
      this.options.observer.failed(error),
    );
    this.running.set(partition, Object.assign(running, { done }));
  }

  private async disown(partition: number): Promise<void> {
    const running = this.running.get(partition);
    if (running === undefined) return;
    running.stop.abort(new Fenced('revoked', `partition ${partition} goes to another owner`));
    await running.done;
    this.running.delete(partition);
  }

  private async keepOpen(partition: number, counts: PartitionCounts, running: Running): Promise<void> {
    const { observer, reopenDelayMs } = this.options;
    while (!running.stop.signal.aborted) {
      try {
        await this.runOnce(partition, counts, running);
      } catch (error) {
        if (error instanceof Fenced) return observer.fenced(partition, error);
        if (!(error instanceof Unavailable)) throw error;
        observer.lost(partition, error);
        await delay(reopenDelayMs, undefined, { signal: running.stop.signal }).catch(() => {});
      } finally {
        running.task = null;
      }
    }
  }

  /** After any failure all memory of the partition goes and it is opened again from what is durable. */
  private async runOnce(partition: number, counts: PartitionCounts, running: Running): Promise<void> {
    const { log, topics, openStore, observer } = this.options;
    const store = await openStore(partition);
    let writer: LogWriter | null = null;
    try {
      writer = await takeOver(log, `${topics.tallies}/${partition}`, partitionsOf(topics.tallies, counts.tallies));
      const { task, from } = await this.open(partition, counts, store, writer, running.stop.signal);
      running.task = task;
      observer.opened(task, from);
      await task.run(running.stop.signal);
    } catch (error) {
      if (!(error instanceof Corrupt && error.code === 'store-unreadable')) throw error;
      // Only a cache: opened again, it is rebuilt from the log.
      await store.destroy();
      throw new Unavailable(error.code, error.message, { cause: error });
    } finally {
      await writer?.close();
      await store.close();
    }
  }

  private async open(
    partition: number,
    counts: PartitionCounts,
    store: Store,
    writer: LogWriter,
    stop: AbortSignal,
  ): Promise<{ task: TallyTask; from: Restored['from'] }> {
    const { options } = this;
    const { log, topics, codecs, experiments, limits, pollRecordsMax } = options;
    const input: InputReaderOptions = { log, topics, partition, partitions: counts.inputs, codecs, pollRecordsMax };
    // First the definitions: what a promotion left on the log was there before them.
    await experiments.catchUp();
    const { lineUp } = experiments;
    const published = await readTallies(input, codecs.tally);
    const rules = { experiments: lineUp, limits };
    const { rollUpAgeMs } = options;
    const joinOptions = { partition, partitions: counts.inputs, rules, store, tallyCodec: codecs.tally, rollUpAgeMs };
    const { join, reader, from } = await restore(joinOptions, input, published, stop);
    const task = new TallyTask({
      ...options,
      partition,
      join,
      reader,
      writer,
      talliesPartitions: counts.tallies,
      deadLettersPartitions: counts.deadLetters,
      published: published.progress ?? { offsets: AT_START, lines: [] },
      isPromoted: () => experiments.lineUp !== lineUp,
      publishFrom: publishedReach(published),
      covered: coveredKeys(published, join),
      partKeys: published.partKeys,
      assertPartitions: async () =>
        assertSameCount(topics.decisions, await partitionCountOf(log, topics.decisions), kept(counts)),
      catchUpExperiments: () => experiments.catchUp(),
      knowsExperiment: ({ experimentId, experimentVersion }) => experiments.knows(experimentId, experimentVersion),
    });
    return { task, from };
  }

  private async partitionCounts(): Promise<PartitionCounts> {
    const { log, topics } = this.options;
    const [decisions, rewards, tallies, deadLetters] = await Promise.all(
      [topics.decisions, topics.rewards, topics.tallies, topics.deadLetters].map((topic) =>
        partitionCountOf(log, topic),
      ),
    );
    assertCoPartitioned(topics, { decisions: decisions!, rewards: rewards! });
    return { inputs: decisions!, tallies: tallies!, deadLetters: deadLetters! };
  }
}
