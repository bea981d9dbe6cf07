/**
 * Learns from the log again, from nothing but the log, and says what every experiment's snapshot must be: the proof
 * of a live digest. Publishes nothing.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { sealSnapshot } from '../contracts/seal.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { Corrupt } from '../core/errors.ts';
import { AT_START, type ExperimentId, type PerStream } from '../core/events.ts';
import type { JoinLimits } from '../core/join/group.ts';
import { addCounts, type Counts, zeroCounts } from '../core/learning/counts.ts';
import { MergedSums } from '../core/learning/merge.ts';
import type { Rules } from '../core/learning/partition.ts';
import type { CohortSums } from '../core/learning/sums.ts';
import { reflectedBy } from '../core/learning/tally.ts';
import { ExperimentsView } from '../platform/experiments-view.ts';
import { InputReader } from '../platform/join/input-reader.ts';
import { PartitionJoin } from '../platform/join/partition-join.ts';
import type { Log } from '../platform/log/port.ts';
import type { Store } from '../platform/store/port.ts';

const POLL_WAIT_MS_MAX = 500;

export type Snapshots = ReadonlyMap<ExperimentId, ParametersSnapshot>;

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
  /**
   * Snapshots to prove: each of their experiments is learned up to what its snapshot reflects, all others up to where
   * the log ends when the replay begins.
   */
  readonly prove?: Snapshots;
  /** Told how many input events have been learned, of how many. */
  onProgress(done: number, total: number): void;
}

export interface Replayed {
  readonly snapshots: Snapshots;
  /** Of everything up to the end. */
  readonly counts: Counts;
}

/** @throws Invalid when a topic is missing; Corrupt when the log ends before what a snapshot reflects. */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const ends = await inputEnds(options.log, options.topics);
  const experiments = await readExperiments(options);
  const total = ends.reduce((sum, end, partition) => sum + length(options.from[partition]!, end), 0);
  const counts = zeroCounts();
  const merged = new Map([...experiments.keys()].map((id) => [id, { sums: new MergedSums(), cuts: new Map() }]));
  let done = 0;
  for (const [partition, end] of ends.entries()) {
    const stops = stopsOf(partition, end, [...experiments.keys()], options.prove ?? new Map());
    const join = await replayPartition(options, { experiments, limits: options.limits }, partition, stops, {
      onRecords(records) {
        done += records;
        options.onProgress(done, total);
      },
      onStop({ cut, experimentIds }, { state }) {
        for (const id of experimentIds) merged.get(id)!.cuts.set(partition, cut);
        for (const { experimentId, cohort, sums } of state.sums.entries()) {
          if (experimentIds.has(experimentId)) merged.get(experimentId)!.sums.replace(partition, cohort, copyOf(sums));
        }
      },
    });
    addCounts(counts, join.state.counts);
  }
  const snapshots = [...experiments].map(([id, experiment]) => {
    const { sums, cuts } = merged.get(id)!;
    return [id, sealSnapshot(experiment, sums, cuts)] as const;
  });
  return { snapshots: new Map(snapshots), counts };
}

/** Where a partition is looked at on the way, and for which experiments. */
interface Stop {
  readonly cut: PerStream;
  readonly experimentIds: ReadonlySet<ExperimentId>;
}

/** @returns ascending, the last at the end. @throws Corrupt when two cuts cannot be ordered. */
function stopsOf(partition: number, end: PerStream, ids: readonly ExperimentId[], prove: Snapshots): Stop[] {
  const cutOf = (id: ExperimentId): PerStream => {
    const snapshot = prove.get(id);
    if (snapshot === undefined) return end;
    const { decisions, rewards } = snapshot.offsets.find((cut) => cut.partition === partition) ?? AT_START;
    return { decisions, rewards };
  };
  const byCut = Map.groupBy(ids, (id) => JSON.stringify(cutOf(id)));
  const stops = [...byCut].map(([cut, at]) => ({ cut: JSON.parse(cut) as PerStream, experimentIds: new Set(at) }));
  stops.sort((a, b) => a.cut.decisions + a.cut.rewards - b.cut.decisions - b.cut.rewards);
  stops.push({ cut: end, experimentIds: new Set() });
  stops.reduce((before, after) => {
    if (reflectedBy(before.cut, after.cut)) return after;
    throw new Corrupt(
      'snapshots-diverge',
      `partition ${partition}: snapshots at offsets ${JSON.stringify(before.cut)} and ${JSON.stringify(after.cut)} ` +
        'cannot be met in one reading',
    );
  });
  return stops;
}

function copyOf(sums: CohortSums): CohortSums {
  return new Map([...sums].map(([armId, vector]) => [armId, vector.copy()]));
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
  stops: readonly Stop[],
  on: { onRecords(records: number): void; onStop(stop: Stop, join: PartitionJoin): void },
): Promise<PartitionJoin> {
  const { codecs, from, openStore } = options;
  const store = await openStore(partition);
  const partitions = from.length;
  const reader = new InputReader({ ...options, partition, partitions }, from[partition]!);
  const join = await PartitionJoin.open({ partition, partitions, rules, store, tallyCodec: codecs.tally });
  try {
    for (const stop of stops) {
      for await (const records of reader.readUpTo(stop.cut, POLL_WAIT_MS_MAX)) {
        join.fold(records);
        await join.writeGroups();
        on.onRecords(records.length);
      }
      on.onStop(stop, join);
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
