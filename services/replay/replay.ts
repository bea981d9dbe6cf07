/**
 * Learns from the log again, from nothing but the log, and says what every experiment's snapshot must be: the proof
 * of a live digest. Publishes nothing.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { sealSnapshot } from '../contracts/seal.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import type { ExperimentId, PerStream } from '../core/events.ts';
import type { JoinLimits } from '../core/join/group.ts';
import { addCounts, type Counts, zeroCounts } from '../core/learning/counts.ts';
import { MergedSums } from '../core/learning/merge.ts';
import type { Rules } from '../core/learning/partition.ts';
import { getOrInsert } from '../core/learning/sums.ts';
import { ExperimentsView } from '../platform/experiments-view.ts';
import { InputReader, type InputReaderOptions } from '../platform/join/input-reader.ts';
import { PartitionJoin } from '../platform/join/partition-join.ts';
import type { Log } from '../platform/log/port.ts';
import type { Store } from '../platform/store/port.ts';

const POLL_WAIT_MS_MAX = 500;

export interface ReplayOptions {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  readonly limits: JoinLimits;
  readonly pollRecordsMax: number;
  /** An empty store for each partition; closed when its partition is done. */
  openStore(partition: number): Promise<Store>;
  /** Where to begin, by partition: offset 0, or what the log appended from a time on. */
  readonly from: readonly PerStream[];
  /** Stop here, by partition; what the log ends at when the replay begins when left out. */
  readonly to?: readonly PerStream[];
  /** Told how many input events have been learned, of how many. */
  onProgress(done: number, total: number): void;
}

export interface Replayed {
  readonly snapshots: ReadonlyMap<ExperimentId, ParametersSnapshot>;
  readonly counts: Counts;
}

/** @throws Invalid when a topic is missing; Corrupt when the log ends before `to`. */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const experiments = await readExperiments(options);
  const to = options.to ?? (await inputEnds(options.log, options.topics));
  const total = to.reduce((sum, cut, partition) => sum + length(options.from[partition]!, cut), 0);
  const counts = zeroCounts();
  const merged = new Map<ExperimentId, MergedSums>();
  let done = 0;
  for (const [partition, cut] of to.entries()) {
    const join = await replayPartition(options, { experiments, limits: options.limits }, partition, cut, (records) => {
      done += records;
      options.onProgress(done, total);
    });
    addCounts(counts, join.state.counts);
    for (const { experimentId, cohort, sums } of join.state.sums.entries()) {
      getOrInsert(merged, experimentId, () => new MergedSums()).replace(partition, cohort, sums);
    }
  }
  const cuts = new Map(to.entries());
  const snapshots = [...experiments.values()].map((experiment) =>
    sealSnapshot(experiment, merged.get(experiment.id) ?? new MergedSums(), cuts),
  );
  return { snapshots: new Map(snapshots.map((snapshot) => [snapshot.experimentId, snapshot])), counts };
}

/** @returns next offsets of each input partition: where the log ends now. */
export async function inputEnds(log: Log, topics: TopicNames): Promise<PerStream[]> {
  const [decisions, rewards] = await Promise.all([
    log.admin.offsets(topics.decisions),
    log.admin.offsets(topics.rewards),
  ]);
  return decisions.map(({ end }, partition) => ({ decisions: end, rewards: rewards[partition]?.end ?? 0 }));
}

/** @returns where to begin in each input partition to see all that was appended from a time on. */
export async function inputsFrom(log: Log, topics: TopicNames, timeMs: number): Promise<PerStream[]> {
  const [decisions, rewards] = await Promise.all([
    log.admin.offsetsAt(topics.decisions, timeMs),
    log.admin.offsetsAt(topics.rewards, timeMs),
  ]);
  return decisions.map((offset, partition) => ({ decisions: offset, rewards: rewards[partition] ?? 0 }));
}

async function readExperiments({ log, topics, codecs }: ReplayOptions): Promise<ExperimentsView['experiments']> {
  const rethrow = (error: Error): never => {
    throw error;
  };
  const view = new ExperimentsView({
    log,
    topic: topics.experiments,
    codec: codecs.experiment,
    onRefused: rethrow,
    onUnavailable: rethrow,
  });
  await view.start();
  await view.stop();
  return view.experiments;
}

async function replayPartition(
  options: ReplayOptions,
  rules: Rules,
  partition: number,
  cut: PerStream,
  onRecords: (records: number) => void,
): Promise<PartitionJoin> {
  const { codecs, to, from, openStore } = options;
  const input: InputReaderOptions = { ...options, partition };
  const store = await openStore(partition);
  const reader = new InputReader(input, from[partition]!);
  const partitions = to?.length ?? from.length;
  const join = await PartitionJoin.open({ partition, partitions, rules, store, tallyCodec: codecs.tally });
  try {
    for await (const records of reader.readUpTo(cut, POLL_WAIT_MS_MAX)) {
      await join.fold(records);
      await join.writeGroups();
      onRecords(records.length);
    }
    // What ran out by the last record's clock is dropped as it would be live.
    await join.writeGroups();
    return join;
  } finally {
    await reader.close();
    await store.close();
  }
}

function length(from: PerStream, to: PerStream): number {
  return Math.max(0, to.decisions - from.decisions) + Math.max(0, to.rewards - from.rewards);
}
