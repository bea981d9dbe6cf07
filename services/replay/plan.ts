/**
 * What a replay is to do, settled before it begins, so that one that was ended half-way goes on to the same end: plain data,
 * for threads and for the state folder.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { Corrupt } from '../core/errors.ts';
import { AT_START, type ExperimentId, type PerStream } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import type { JoinLimits } from '../core/join/group.ts';
import { reflectedBy } from '../core/learning/tally.ts';
import type { Log } from '../platform/log/port.ts';
import { lengthOf, type Span } from './span.ts';

/** What of a snapshot can be held against a replay. */
export type LiveSnapshot = Pick<ParametersSnapshot, 'experimentVersion' | 'version' | 'digest' | 'offsets'>;
export type LiveSnapshots = ReadonlyMap<ExperimentId, LiveSnapshot>;

/** Where a partition is looked at on the way, and for which experiments. */
export interface Stop {
  readonly cut: PerStream;
  readonly experimentIds: ReadonlySet<ExperimentId>;
}

export interface PartitionPlan {
  readonly from: PerStream;
  /** Ascending, at least one; each experiment in one of them. */
  readonly stops: readonly Stop[];
}

export interface ReplayPlan {
  readonly experiments: ReadonlyMap<ExperimentId, Experiment>;
  readonly limits: JoinLimits;
  readonly partitions: readonly PartitionPlan[];
}

/** Where events and definitions are read. */
export interface ReplaySource {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
}

/**
 * @param prove snapshots to prove: each of their experiments is learned up to what its snapshot reflects, all others up to
 * the end of the span.
 * @throws Corrupt `snapshots-diverge` when no one reading meets all of them.
 */
export function planReplay(
  { from, to }: Pick<Span, 'from' | 'to'>,
  experiments: ReplayPlan['experiments'],
  limits: JoinLimits,
  prove: LiveSnapshots = new Map(),
): ReplayPlan {
  const ids = [...experiments.keys()];
  const partitions = to.map((end, partition) => ({
    from: from[partition]!,
    stops: stopsOf(partition, end, ids, prove),
  }));
  return { experiments, limits, partitions };
}

/** @returns how many events the whole replay reads, at most. */
export function eventsOf({ partitions }: ReplayPlan): number {
  return partitions.reduce((sum, { from, stops }) => sum + lengthOf(from, stops.at(-1)!.cut), 0);
}

function stopsOf(partition: number, end: PerStream, ids: readonly ExperimentId[], prove: LiveSnapshots): Stop[] {
  const cutOf = (id: ExperimentId): PerStream => {
    const snapshot = prove.get(id);
    if (snapshot === undefined) return end;
    const { decisions, rewards } = snapshot.offsets.find((cut) => cut.partition === partition) ?? AT_START;
    return { decisions, rewards };
  };
  const byCut = Map.groupBy(ids, (id) => JSON.stringify(cutOf(id)));
  const stops = [...byCut].map(([cut, at]) => ({ cut: JSON.parse(cut) as PerStream, experimentIds: new Set(at) }));
  stops.sort((a, b) => a.cut.decisions + a.cut.rewards - b.cut.decisions - b.cut.rewards);
  if (!byCut.has(JSON.stringify(end))) stops.push({ cut: end, experimentIds: new Set() });
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
