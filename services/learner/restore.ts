/**
 * Brings a partition's join back when it is taken over: from the local store if that is usable, else from the tallies
 * and a second reading of the inputs that fill its groups. Owns nothing; returns a join that stands at known offsets.
 */
import type { Codec } from '../contracts/codec.ts';
import { Corrupt } from '../core/errors.ts';
import type { PerStream } from '../core/events.ts';
import { lowClock, rewardMemoryMs } from '../core/join/group.ts';
import type { SumDelta } from '../core/learning/sums.ts';
import { type CohortTally, type ProgressTally, reflectedBy, type Tally } from '../core/learning/tally.ts';
import { InputReader, type InputReaderOptions } from '../platform/join/input-reader.ts';
import { PartitionJoin, type PartitionJoinOptions, type Replayed } from '../platform/join/partition-join.ts';
import { readToEnd, startOf } from '../platform/log/read-to-end.ts';

const READ_WAIT_MS_MAX = 500;
const EMPTY: PerStream = { decisions: 0, rewards: 0 };

/** What the tallies topic says of one partition. */
export interface PublishedTallies {
  readonly progress: ProgressTally | null;
  readonly sums: readonly CohortTally[];
}

/** Reads the whole tallies topic. Of two tallies with one key the one with the larger offsets stands. */
export async function readTallies(input: InputReaderOptions, codec: Codec<Tally>): Promise<PublishedTallies> {
  let progress: ProgressTally | null = null;
  const sums = new Map<string, CohortTally>();
  for await (const batch of readToEnd(input.log, await startOf(input.log, input.topics.tallies))) {
    await codec.prepare(batch.records.map(({ value }) => value));
    for (const { key, value } of batch.records) {
      if (value === null || key === null) continue;
      const tally = codec.decode(value);
      if (tally.partition !== input.partition) continue;
      if (tally.kind === 'progress') progress = newer(progress, tally);
      else sums.set(key, newer(sums.get(key) ?? null, tally));
    }
  }
  return { progress, sums: [...sums.values()] };
}

function newer<T extends Tally>(known: T | null, read: T): T {
  return known === null || reflectedBy(known.offsets, read.offsets) ? read : known;
}

export interface Restored {
  readonly join: PartitionJoin;
  readonly reader: InputReader;
  readonly from: 'store' | 'tallies' | 'log';
}

export async function restore(
  options: PartitionJoinOptions,
  input: InputReaderOptions,
  published: PublishedTallies,
): Promise<Restored> {
  const join = await PartitionJoin.open(options);
  const { offsets } = join.state;
  if (await isUsable(offsets, input)) return { join, reader: new InputReader(input, offsets), from: 'store' };
  await options.store.clear();
  if (published.progress === null) {
    if (published.sums.length > 0) {
      throw new Corrupt(
        'no-progress',
        `partition ${options.partition} has tallies but no progress in ${input.topics.tallies}`,
      );
    }
    const fresh = await PartitionJoin.open(options);
    return { join: fresh, reader: new InputReader(input, EMPTY), from: 'log' };
  }
  return restoreFromTallies(options, input, { progress: published.progress, sums: published.sums });
}

/** A store is usable when it holds something and the log still has all that follows. */
async function isUsable(offsets: PerStream, { log, topics, partition }: InputReaderOptions): Promise<boolean> {
  if (offsets.decisions + offsets.rewards === 0) return false;
  const decisions = (await log.admin.offsets(topics.decisions))[partition];
  const rewards = (await log.admin.offsets(topics.rewards))[partition];
  return [[decisions, offsets.decisions] as const, [rewards, offsets.rewards] as const].every(
    ([kept, offset]) => kept !== undefined && kept.start <= offset && offset <= kept.end,
  );
}

async function restoreFromTallies(
  options: PartitionJoinOptions,
  input: InputReaderOptions,
  { progress, sums }: { readonly progress: ProgressTally; readonly sums: readonly CohortTally[] },
): Promise<Restored> {
  const join = await PartitionJoin.open(options);
  for (const tally of sums) join.restore(tally);
  await join.adopt(sums);
  const reader = new InputReader(input, await refillFrom(options, input, progress));
  await fold(join, reader, progress.offsets, { counted: false, learned: () => false });
  join.resume(progress, progress.counts);
  // A stop between two publications leaves some tallies ahead of the progress record. Each rung of this ladder reads
  // exactly up to such a tally's cut, learning all but what that tally and those ahead of it already reflect.
  for (const cut of rungs(progress.offsets, sums)) {
    const ahead = new Map(
      sums.filter(({ offsets }) => reflectedBy(cut, offsets)).map((tally) => [tallyName(tally), tally]),
    );
    const learned = ({ decision, cohort }: SumDelta) =>
      !ahead.has(tallyName({ experimentId: decision.experimentId, cohort }));
    await fold(join, reader, cut, { counted: true, learned });
  }
  return { join, reader, from: 'tallies' };
}

function tallyName({ experimentId, cohort }: Pick<CohortTally, 'experimentId' | 'cohort'>): string {
  return `${experimentId}/${cohort}`;
}

/** @returns the cuts beyond the progress, ascending. @throws Corrupt when two of them cannot be ordered. */
function rungs(progress: PerStream, sums: readonly CohortTally[]): PerStream[] {
  const ahead = sums.map(({ offsets }) => offsets).filter((offsets) => !reflectedBy(offsets, progress));
  ahead.sort((a, b) => a.decisions + a.rewards - b.decisions - b.rewards);
  [progress, ...ahead].reduce((lower, upper) => {
    if (reflectedBy(lower, upper)) return upper;
    throw new Corrupt(
      'tallies-diverge',
      `tallies at offsets ${JSON.stringify(lower)} and ${JSON.stringify(upper)} were not written by one line of owners`,
    );
  });
  return ahead;
}

/**
 * Twice the memory of a reward back from the progress: once for what may still be alive, once more so that a record
 * that only continues an older reward is not taken for a new one.
 */
async function refillFrom(
  { rules }: PartitionJoinOptions,
  { log, topics, partition }: InputReaderOptions,
  progress: ProgressTally,
): Promise<PerStream> {
  const fromMs = Math.max(0, lowClock(progress.clocks) - 2 * rewardMemoryMs(rules.limits));
  const [decisions, rewards] = await Promise.all([
    log.admin.offsetsAt(topics.decisions, fromMs),
    log.admin.offsetsAt(topics.rewards, fromMs),
  ]);
  return {
    decisions: Math.min(decisions[partition] ?? 0, progress.offsets.decisions),
    rewards: Math.min(rewards[partition] ?? 0, progress.offsets.rewards),
  };
}

async function fold(join: PartitionJoin, reader: InputReader, cut: PerStream, replayed: Replayed): Promise<void> {
  for await (const records of reader.readUpTo(cut, READ_WAIT_MS_MAX)) {
    await join.fold(records, replayed);
    await join.writeGroups(replayed);
  }
}
