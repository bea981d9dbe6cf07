/**
 * Replays one input partition on a store that it may have begun with before: groups, sums, offsets and what was asked for on
 * the way are committed together, so it goes on where the last commit was, whatever ended it.
 */
import type { Codecs } from '../contracts/codec.ts';
import { AT_START, type PerStream } from '../core/events.ts';
import type { Counts } from '../core/learning/counts.ts';
import { isSameCut, reflectedBy } from '../core/learning/tally.ts';
import { InputReader } from '../platform/join/input-reader.ts';
import { PartitionJoin } from '../platform/join/partition-join.ts';
import type { Store } from '../platform/store/port.ts';
import type { ReplayPlan, ReplaySource, Stop } from './plan.ts';
import { lengthOf } from './span.ts';

const POLL_WAIT_MS_MAX = 500;
/** Names of the store under which tallies stand as of their experiment's stop. */
const KEPT_FROM = 'replayed/';
/** What a replay that was ended does again at most, beside one poll. */
export const COMMIT_RECORDS = 10_000;

export interface PartitionOptions extends ReplaySource {
  readonly pollRecordsMax: number;
  /** Events between two commits. */
  readonly commitRecords: number;
}

/** How many events of the partition are learned, and how many of them were when it was opened. */
export interface PartitionProgress {
  readonly done: number;
  readonly resumed: number;
}

export interface PartitionReplayed {
  /** Sums of each experiment as of its stop, encoded. */
  readonly tallies: readonly Uint8Array[];
  /** As of the last stop. */
  readonly clocks: PerStream;
  readonly counts: Counts;
}

/** @param store closed here. @throws Corrupt when the log ends before a stop; Unavailable: the same again goes on. */
export async function replayPartition(
  options: PartitionOptions,
  plan: ReplayPlan,
  partition: number,
  store: Store,
  onProgress: (progress: PartitionProgress) => void,
): Promise<PartitionReplayed> {
  const { from, stops } = plan.partitions[partition]!;
  const partitions = plan.partitions.length;
  const join = await PartitionJoin.open({
    ...{ partition, partitions, rules: plan, store },
    tallyCodec: options.codecs.tally,
  });
  const { state } = join;
  if (isSameCut(state.offsets, AT_START)) state.offsets = from;
  const resumed = lengthOf(from, state.offsets);
  const reader = new InputReader({ ...options, partition, partitions }, state.offsets);
  let uncommitted = 0;
  onProgress({ done: resumed, resumed });
  try {
    for (const stop of stops) {
      if (isPassed(stop, state.offsets)) continue;
      for await (const records of reader.readUpTo(stop.cut, POLL_WAIT_MS_MAX)) {
        join.fold(records);
        uncommitted += records.length;
        if (uncommitted >= options.commitRecords) {
          await join.commit(AT_START);
          uncommitted = 0;
        }
        onProgress({ done: lengthOf(from, state.offsets), resumed });
      }
      keep(stop, join, store, options.codecs, { partition, partitions });
      await join.commit(AT_START);
      uncommitted = 0;
    }
    onProgress({ done: lengthOf(from, stops.at(-1)!.cut), resumed });
    return { tallies: keptIn(store), clocks: state.clocks, counts: { ...state.counts } };
  } finally {
    await reader.close();
    await store.close();
  }
}

/** A commit beyond a stop is never without what was kept there; one at the stop may be. */
function isPassed({ cut }: Stop, offsets: PerStream): boolean {
  return reflectedBy(cut, offsets) && !isSameCut(cut, offsets);
}

function keep(
  { cut, experimentIds }: Stop,
  { state }: PartitionJoin,
  store: Store,
  codecs: Codecs,
  place: { readonly partition: number; readonly partitions: number },
): void {
  const wanted = state.sums.entries().filter(({ experimentId }) => experimentIds.has(experimentId));
  for (const [experimentId, together] of Map.groupBy(wanted, (entry) => entry.experimentId)) {
    for (const entry of together) {
      const tally = { kind: 'sums', ...place, offsets: cut, clocks: state.clocks, ...entry } as const;
      const value = codecs.tally.encode({ ...tally, changedTogether: together.length });
      store.putNamed(`${KEPT_FROM}${experimentId}/${entry.cohort}`, value);
    }
  }
}

function keptIn(store: Store): Buffer[] {
  const names = store.names().filter((name) => name.startsWith(KEPT_FROM));
  return names.map((name) => Buffer.from(store.getNamed(name)!));
}
