/**
 * Another number of partitions: a new generation of topics, filled with what the log still has of the old ones and begun
 * with what was learned from all that it has not. Both generations work side by side meanwhile; what is still appended
 * to the old topics is copied on. Owns the order of the steps; each can be cut off and done again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Codecs } from '../../contracts/codec.ts';
import type { TopicNames } from '../../contracts/keys.ts';
import { Corrupt, Unavailable } from '../../core/errors.ts';
import { AT_START, type PerStream, STREAMS, type Stream } from '../../core/events.ts';
import { rebuiltFromMs } from '../../core/join/group.ts';
import { zeroCounts } from '../../core/learning/counts.ts';
import type { Rules } from '../../core/learning/partition.ts';
import { reflectedBy } from '../../core/learning/tally.ts';
import { assertCoPartitioned, partitionsChanged } from '../../platform/log/partition-count.ts';
import type { Log, LogWriter } from '../../platform/log/port.ts';
import { isAllFromOffsets, readProgress } from '../../platform/partition-progress.ts';
import type { Store } from '../../platform/store/port.ts';
import { type PublishedTallies, publishedReach, readTallies } from '../restore.ts';
import { type Base, baseOf } from './base.ts';
import { StreamCopy } from './copy.ts';
import { type Beginning, isSeeded, seed } from './seed.ts';

export interface RepartitionOptions {
  readonly log: Log;
  readonly source: Generation;
  /** Its topics are there. */
  readonly target: Generation;
  /** As the learners have them. */
  readonly rules: Rules;
  /** An empty store for each partition of the source; destroyed afterwards. */
  openStore(partition: number): Promise<Store>;
  /** By the clock that the brokers' agree with. */
  nowMs(): number;
  /** Records are copied once they are this old: by then those of other partitions that come before them are there. */
  readonly holdBackMs: number;
  /** Goes on until nothing has been appended to the old topics for so long; `null` ends once all is copied. */
  readonly quietMs: number | null;
  /** Between two looks, and before what failed is tried again. */
  readonly pollIntervalMs: number;
  /** Copied at once. */
  readonly chunkRecords: number;
  readonly stop: AbortSignal;
  readonly observer: RepartitionObserver;
}

export interface Generation {
  readonly topics: TopicNames;
  readonly codecs: Codecs;
}

export interface RepartitionObserver {
  copied(records: number): void;
  /** What was learned from all that came before is being found. */
  learning(): void;
  /** Learners may begin. */
  begun(): void;
  /** It is tried again. */
  unavailable(error: Unavailable): void;
}

export interface Plan {
  readonly sourcePartitions: number;
  readonly targetPartitions: number;
  /** Whether the log has everything that was ever appended: then it is learned anew, and nothing need be taken over. */
  readonly isWhole: boolean;
  /** Records to copy, at the least. */
  readonly records: number;
  /** Where each stream begins, by partition of the source. */
  readonly from: Readonly<Record<'decisions' | 'rewards', readonly number[]>>;
  /** By which numbers of partitions units have been given their places. */
  readonly sourceCounts: readonly number[];
}

export interface Repartitioned {
  readonly copied: number;
  /** Copies that count as of a little later than their originals, since these were seen late. */
  readonly late: number;
}

/**
 * @throws Invalid `not-co-partitioned`; Corrupt `partitions-changed` when the source was altered and the log has not
 * everything any more.
 */
export async function planRepartition(
  {
    log,
    source,
    rules,
    nowMs,
    holdBackMs,
  }: Pick<RepartitionOptions, 'log' | 'source' | 'rules' | 'nowMs' | 'holdBackMs'>,
  targetPartitions: number,
): Promise<Plan> {
  const { topics, codecs } = source;
  const [decisions, rewards] = await Promise.all([
    log.admin.offsets(topics.decisions),
    log.admin.offsets(topics.rewards),
  ]);
  assertCoPartitioned(topics, { decisions: decisions.length, rewards: rewards.length });
  const sourcePartitions = decisions.length;
  const progress = await readProgress(log, topics.tallies, codecs.tally);
  const kept = progress[0]?.partitions ?? sourcePartitions;
  const dropped = [...decisions, ...rewards].some(({ start }) => start > 0);
  const isWhole = !dropped && isAllFromOffsets(progress);
  if (!isWhole && kept !== sourcePartitions) {
    throw partitionsChanged(topics.decisions, sourcePartitions, { what: topics.tallies, count: kept });
  }
  const fromMs = nowMs() - holdBackMs - rebuiltFromMs(rules.limits);
  const beginning = async (topic: string): Promise<readonly number[]> =>
    isWhole ? Array.from({ length: sourcePartitions }, () => 0) : log.admin.offsetsAt(topic, fromMs);
  const from = { decisions: await beginning(topics.decisions), rewards: await beginning(topics.rewards) };
  const ends = { decisions, rewards };
  const records = STREAMS.flatMap((stream) => ends[stream].map(({ end }, at) => end - from[stream][at]!));
  return {
    sourcePartitions,
    targetPartitions,
    isWhole,
    records: records.reduce((sum, count) => sum + count, 0),
    from,
    sourceCounts: [...new Set([kept, sourcePartitions])],
  };
}

/** Copies, begins the new generation, and perhaps goes on copying. @throws what `stop` was aborted with. */
export async function repartition(options: RepartitionOptions, plan: Plan): Promise<Repartitioned> {
  const { stop, observer } = options;
  const done = { copied: 0, late: 0 };
  for (;;) {
    const copies = new Copies(options, plan, (records) => {
      done.copied += records;
      observer.copied(records);
    });
    try {
      await copies.open();
      await copyOn(options, plan, copies);
      return done;
    } catch (error) {
      stop.throwIfAborted();
      if (!(error instanceof Unavailable)) throw error;
      observer.unavailable(error);
      await delay(options.pollIntervalMs, undefined, { signal: stop });
    } finally {
      done.late += copies.late();
      await copies.close();
    }
  }
}

async function copyOn(options: RepartitionOptions, plan: Plan, copies: Copies): Promise<void> {
  const { log, target, stop, quietMs, nowMs, pollIntervalMs, observer } = options;
  let isBegun = await isSeeded(log, target.topics);
  for (let quietSinceMs = nowMs(); ; ) {
    const published = isBegun || plan.isWhole ? null : await publishedBy(options, plan);
    const isQuiet = await copies.pass();
    if (!isQuiet) quietSinceMs = nowMs();
    if (!isBegun) {
      isBegun = await begin(options, plan, copies, published);
      if (isBegun) observer.begun();
    }
    if (isBegun && (quietMs === null || (isQuiet && nowMs() - quietSinceMs >= quietMs))) return;
    await delay(pollIntervalMs, undefined, { signal: stop });
  }
}

async function publishedBy({ log, source, rules }: RepartitionOptions, { sourcePartitions }: Plan) {
  const { topics, codecs } = source;
  const inputs = Array.from({ length: sourcePartitions }, (_, partition) => {
    return { log, topics, partition, partitions: sourcePartitions, codecs, pollRecordsMax: 1, limits: rules.limits };
  });
  const published: PublishedTallies[] = [];
  for (const input of inputs) published.push(await readTallies(input, codecs.tally));
  return published;
}

/**
 * @param published tallies as they were before the last pass; `null` when the log has everything.
 * @returns false when they reflect more than that pass has copied: then the next one will do.
 * @throws Corrupt `written-early`.
 */
async function begin(
  options: RepartitionOptions,
  { sourcePartitions, targetPartitions }: Plan,
  copies: Copies,
  published: readonly PublishedTallies[] | null,
): Promise<boolean> {
  const { log, target, source, observer } = options;
  const numbers = Array.from({ length: targetPartitions }, (_, partition) => partition);
  let base: Base = { sums: [], lines: [], counts: numbers.map(zeroCounts) };
  let beginnings: Beginning[] = numbers.map(() => ({ offsets: AT_START, clocks: AT_START }));
  if (published !== null) {
    const cuts = copies.positions(sourcePartitions);
    if (!published.every((tallies, partition) => reflectedBy(publishedReach(tallies), cuts[partition]!))) return false;
    const offsets = copies.ends(target.topics);
    const clockMs = copies.clockMs - 1;
    const clocks = { decisions: clockMs, rewards: clockMs };
    observer.learning();
    base = await baseOf({ ...source, ...options, partitions: targetPartitions }, published, cuts, clocks);
    beginnings = offsets.map((reflected) => ({ offsets: reflected, clocks }));
  }
  await seed({ ...target, log }, beginnings, base);
  return true;
}

/** The copies of both streams, made in step. */
class Copies {
  /** Of the last pass: all that is older is copied. */
  clockMs = 0;
  private readonly options: RepartitionOptions;
  private readonly plan: Plan;
  private readonly onCopied: (records: number) => void;
  private readonly streams = new Map<Stream, StreamCopy>();
  private readonly writers: LogWriter[] = [];

  constructor(options: RepartitionOptions, plan: Plan, onCopied: (records: number) => void) {
    this.options = options;
    this.plan = plan;
    this.onCopied = onCopied;
  }

  async open(): Promise<void> {
    const { log, source, target, chunkRecords } = this.options;
    const { targetPartitions, sourceCounts, from } = this.plan;
    for (const stream of STREAMS) {
      const topic = target.topics[stream];
      const writer = await log.soleWriter(`${topic}/copier`);
      this.writers.push(writer);
      const places = { source: source.topics[stream], target: topic, partitions: targetPartitions, sourceCounts };
      const copy = await StreamCopy.open({
        log,
        ...places,
        from: from[stream],
        writer,
        chunkRecords,
        onCopied: this.onCopied,
      });
      this.streams.set(stream, copy);
    }
  }

  /** @returns whether there was nothing to copy, and there is nothing that must wait. */
  async pass(): Promise<boolean> {
    const { nowMs, holdBackMs, stop } = this.options;
    this.clockMs = nowMs() - holdBackMs;
    const quiet = await Promise.all(STREAMS.map((stream) => this.streams.get(stream)!.copyBefore(this.clockMs, stop)));
    return quiet.every(Boolean);
  }

  /** @returns by partition of the source, next offsets to copy. */
  positions(sourcePartitions: number): PerStream[] {
    const [decisions, rewards] = STREAMS.map((stream) => this.streams.get(stream)!.positions());
    return Array.from({ length: sourcePartitions }, (_, partition) => {
      return { decisions: decisions![partition]!, rewards: rewards![partition]! };
    });
  }

  /** @returns by partition of the target, where it ends. @throws Corrupt when there is anything but copies in it. */
  ends(topics: TopicNames): PerStream[] {
    const [decisions, rewards] = STREAMS.map((stream) =>
      this.streams
        .get(stream)!
        .ends()
        .map(({ end, copies }, partition) => {
          if (end === copies) return end;
          throw new Corrupt(
            'written-early',
            `${topics[stream]}/${partition} has ${end} records, of which ${copies} are copies: something else has written there ` +
              'too early, or twice; stop what writes there, delete the topics of this generation and begin again',
          );
        }),
    );
    return decisions!.map((end, partition) => ({ decisions: end, rewards: rewards![partition]! }));
  }

  late(): number {
    return [...this.streams.values()].reduce((sum, { late }) => sum + late, 0);
  }

  async close(): Promise<void> {
    await Promise.all([...this.streams.values(), ...this.writers].map((part) => part.close()));
  }
}
