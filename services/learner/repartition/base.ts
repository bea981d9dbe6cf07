/**
 * What an installation has learned up to a time, as the first partition of its next generation begins with it: sums, and
 * the books by where each unit goes. Found as a learner finds it, from the tallies and a second reading of the log.
 */

import type { Codecs } from '../../contracts/codec.ts';
import type { TopicNames } from '../../contracts/keys.ts';
import type { ExperimentId, PerStream } from '../../core/events.ts';
import { promotedLines } from '../../core/experiment.ts';
import { addCounts, COUNT_NAMES, type Counts, zeroCounts } from '../../core/learning/counts.ts';
import { MergedSums } from '../../core/learning/merge.ts';
import { type Rules, standing } from '../../core/learning/partition.ts';
import { type CohortSums, getOrInsert, type NamedSums } from '../../core/learning/sums.ts';
import type { PartitionJoin } from '../../platform/join/partition-join.ts';
import { partitionOf } from '../../platform/log/partitioner.ts';
import type { Log } from '../../platform/log/port.ts';
import type { Store } from '../../platform/store/port.ts';
import { type PublishedTallies, restore } from '../restore.ts';

const POLL_RECORDS_MAX = 5_000;
const POLL_WAIT_MS_MAX = 500;

export interface Base {
  readonly sums: readonly NamedSums[];
  /** By partition of the next generation. */
  readonly counts: readonly Counts[];
  /** The promoted lines among the sums. */
  readonly lines: readonly ExperimentId[];
}

export interface BaseOptions {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  readonly rules: Rules;
  /** An empty store for each partition; destroyed afterwards. */
  openStore(partition: number): Promise<Store>;
  /** How many the next generation has. */
  readonly partitions: number;
  readonly stop: AbortSignal;
}

/**
 * @param published the tallies of each partition.
 * @param cuts next offsets of each partition, no smaller than what its tallies reflect.
 * @param clocks log clocks that no record before the cuts exceeds, and none after them falls below.
 */
export async function baseOf(
  options: BaseOptions,
  published: readonly PublishedTallies[],
  cuts: readonly PerStream[],
  clocks: PerStream,
): Promise<Base> {
  const total = zeroCounts();
  const open = Array.from({ length: options.partitions }, zeroCounts);
  const sums = new Combined();
  for (const [partition, cut] of cuts.entries()) {
    const store = await options.openStore(partition);
    try {
      const join = await learnedUpTo(
        options,
        { partition, partitions: cuts.length, store },
        published[partition]!,
        cut,
      );
      join.resume({ offsets: cut, clocks }, join.state.counts);
      await join.writeGroups();
      for (const named of join.state.sums.entries()) sums.add(partition, named);
      addCounts(total, join.state.counts);
      for (const group of join.groups()) {
        addCounts(open[partitionOf(group.unitId, options.partitions)]!, standing(group, options.rules));
      }
    } finally {
      await store.destroy();
    }
  }
  // What is settled for good stands with the sums.
  for (const counts of open) for (const name of COUNT_NAMES) total[name] -= counts[name];
  addCounts(open[0]!, total);
  return { sums: sums.all(), counts: open, lines: promotedLines(options.rules.experiments.values()) };
}

async function learnedUpTo(
  { log, topics, codecs, rules, stop }: BaseOptions,
  place: { readonly partition: number; readonly partitions: number; readonly store: Store },
  published: PublishedTallies,
  cut: PerStream,
): Promise<PartitionJoin> {
  const input = { log, topics, ...place, codecs, pollRecordsMax: POLL_RECORDS_MAX };
  const { join, reader } = await restore({ ...place, rules, tallyCodec: codecs.tally }, input, published, stop);
  try {
    for await (const records of reader.readUpTo(cut, POLL_WAIT_MS_MAX)) {
      stop.throwIfAborted();
      join.fold(records);
      await join.writeGroups();
    }
  } finally {
    await reader.close();
  }
  return join;
}

/** Sums of several partitions, added up; roll-ups stand for all that any partition has rolled up. */
class Combined {
  private readonly merged = new Map<ExperimentId, MergedSums>();
  private readonly rolledUpTo = new Map<ExperimentId, number>();

  add(partition: number, { experimentId, cohort, rolledUp, sums }: NamedSums): void {
    getOrInsert(this.merged, experimentId, () => new MergedSums()).replace(partition, cohort, sums);
    if (!rolledUp) return;
    this.rolledUpTo.set(experimentId, Math.max(cohort, this.rolledUpTo.get(experimentId) ?? 0));
  }

  all(): NamedSums[] {
    return [...this.merged].flatMap(([experimentId, merged]) => {
      const through = this.rolledUpTo.get(experimentId);
      return merged.cohorts(through === undefined ? 0 : through + 1).map(([cohort, sums]): NamedSums => {
        return { experimentId, cohort, rolledUp: cohort === through, sums: sums as CohortSums };
      });
    });
  }
}
