/**
 * Learns from the log again, from nothing but the log, and says what every experiment's snapshot must be: the proof
 * of a live digest. Publishes nothing.
 */
import type { Codec } from '../contracts/codec.ts';
import { sealSnapshot } from '../contracts/seal.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import type { ExperimentId, PerStream } from '../core/events.ts';
import { experimentOfLine } from '../core/experiment.ts';
import type { JoinLimits } from '../core/join/group.ts';
import { addCounts, type Counts, zeroCounts } from '../core/learning/counts.ts';
import { MergedSums } from '../core/learning/merge.ts';
import type { CohortTally, Tally } from '../core/learning/tally.ts';
import { readExperiments } from '../platform/experiments-view.ts';
import type { Store } from '../platform/store/port.ts';
import {
  COMMIT_RECORDS,
  type PartitionOptions,
  type PartitionProgress,
  type PartitionReplayed,
  replayPartition,
} from './partition.ts';
import { eventsOf, type LiveSnapshots, planReplay, type ReplayPlan } from './plan.ts';
import { spanOf } from './span.ts';

export type Snapshots = ReadonlyMap<ExperimentId, ParametersSnapshot>;

export interface ReplayOptions extends Omit<PartitionOptions, 'commitRecords'> {
  readonly limits: JoinLimits;
  /** An empty store for each partition; closed when its partition is done. */
  openStore(partition: number): Promise<Store>;
  /** Snapshots to prove, see planReplay. */
  readonly prove?: LiveSnapshots;
}

export interface Replayed {
  readonly snapshots: Snapshots;
  /** By partition, what the snapshots were merged from. */
  readonly tallies: readonly (readonly CohortTally[])[];
  readonly clocks: readonly PerStream[];
  readonly countsOf: readonly Counts[];
  /** Of everything up to the end. */
  readonly counts: Counts;
}

/** Replays all that is retained in this process, a partition after the other. @throws as `replayPartition` does. */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const span = await spanOf(options.log, options.topics, { from: null, to: null });
  const plan = planReplay(span, await readExperiments(options), options.limits, options.prove);
  return runReplay(plan, {
    parallel: 1,
    tallyCodec: options.codecs.tally,
    onProgress: () => {},
    replayOne: async (partition, onProgress) => {
      const store = await options.openStore(partition);
      return replayPartition({ ...options, commitRecords: COMMIT_RECORDS }, plan, partition, store, onProgress);
    },
  });
}

export interface RunOptions {
  /** How many partitions are learned at once. */
  readonly parallel: number;
  readonly tallyCodec: Codec<Tally>;
  replayOne(partition: number, onProgress: (progress: PartitionProgress) => void): Promise<PartitionReplayed>;
  /** Told how many events have been learned, of how many, and how many of them before this run. */
  onProgress(done: number, total: number, resumed: number): void;
}

export async function runReplay(plan: ReplayPlan, options: RunOptions): Promise<Replayed> {
  const total = eventsOf(plan);
  const progress = plan.partitions.map((): PartitionProgress => ({ done: 0, resumed: 0 }));
  const results = new Array<PartitionReplayed>(plan.partitions.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let partition = next++; partition < results.length; partition = next++) {
      results[partition] = await options.replayOne(partition, (now) => {
        progress[partition] = now;
        const sum = (of: keyof PartitionProgress) => progress.reduce((all, one) => all + one[of], 0);
        options.onProgress(sum('done'), total, sum('resumed'));
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.parallel, results.length) }, lane));
  return merge(plan, results, options.tallyCodec);
}

async function merge(plan: ReplayPlan, results: readonly PartitionReplayed[], codec: Codec<Tally>): Promise<Replayed> {
  const counts = zeroCounts();
  const merged = new Map([...plan.experiments.keys()].map((id) => [id, new MergedSums()]));
  const tallies: CohortTally[][] = [];
  for (const result of results) {
    const values = result.tallies.map((value) => Buffer.from(value));
    await codec.prepare(values);
    const own = values.map((value) => codec.decode(value) as CohortTally);
    for (const { experimentId, partition, cohort, sums } of own) {
      merged.get(experimentOfLine(experimentId))!.replace(partition, cohort, sums);
    }
    tallies.push(own);
    addCounts(counts, result.counts);
  }
  const snapshots = [...plan.experiments].map(
    ([id, experiment]) => [id, sealSnapshot(experiment, merged.get(id)!, cutsOf(plan, id))] as const,
  );
  return {
    snapshots: new Map(snapshots),
    tallies,
    clocks: results.map(({ clocks }) => clocks),
    countsOf: results.map((result) => result.counts),
    counts,
  };
}

/** @returns by partition, where the experiment was looked at. */
function cutsOf({ partitions }: ReplayPlan, id: ExperimentId): Map<number, PerStream> {
  return new Map(
    partitions.map(({ stops }, partition) => [
      partition,
      stops.find(({ experimentIds }) => experimentIds.has(id))!.cut,
    ]),
  );
}
