/**
 * Brings a partition's join back when it is taken over: from the local store if that is usable, else from the tallies
 * and a second reading of the inputs that fill its groups. Owns nothing; returns a join that stands at known offsets.
 */
import type { Codec } from '../contracts/codec.ts';
import { cohortSumsKey } from '../contracts/keys.ts';
import { Assembler } from '../contracts/parts.ts';
import { Corrupt } from '../core/errors.ts';
import { AT_START, type PerStream, STREAMS } from '../core/events.ts';
import { lowClock, rebuiltFromMs } from '../core/join/group.ts';
import type { SumDelta } from '../core/learning/sums.ts';
import { type CohortTally, covers, type ProgressTally, reflectedBy, type Tally } from '../core/learning/tally.ts';
import { InputReader, type InputReaderOptions } from '../platform/join/input-reader.ts';
import { PartitionJoin, type PartitionJoinOptions, type Replayed } from '../platform/join/partition-join.ts';
import { assertSameCount } from '../platform/log/partition-count.ts';
import type { LogRecord } from '../platform/log/port.ts';
import { startOf } from '../platform/log/read-to-end.ts';
import { readWholes } from '../platform/log/read-wholes.ts';

const READ_WAIT_MS_MAX = 500;
/** What is read again is kept in memory for so long before it goes to the store. */
const RECORDS_PER_WRITE = 20_000;

/** What the tallies topic says of one partition. */
export interface PublishedTallies {
  readonly progress: ProgressTally | null;
  readonly sums: readonly CohortTally[];
  /** Still there, but rolled up. */
  readonly covered: readonly CohortTally[];
  /** Of all partitions: keys of the parts on the log, by the key of the tally. */
  readonly partKeys: Map<string, Set<string>>;
}

/** @returns the offsets that some published tally reflects at most; zeros when there is none. */
export function publishedReach({ progress, sums }: PublishedTallies): PerStream {
  return [...(progress === null ? [] : [progress]), ...sums].reduce<PerStream>(
    (reach, { offsets }) => ({
      decisions: Math.max(reach.decisions, offsets.decisions),
      rewards: Math.max(reach.rewards, offsets.rewards),
    }),
    AT_START,
  );
}

/**
 * Reads the whole tallies topic. Of two tallies with one key the one with the larger offsets stands, and a roll-up
 * stands for the cohorts that it covers.
 * @throws Corrupt when a tally reflects more than the roll-up that covers it, or is of another number of partitions.
 */
export async function readTallies(input: InputReaderOptions, codec: Codec<Tally>): Promise<PublishedTallies> {
  let progress: ProgressTally | null = null;
  const sums = new Map<string, CohortTally>();
  const assembler = new Assembler<LogRecord>();
  for await (const batch of readWholes(input.log, await startOf(input.log, input.topics.tallies), assembler)) {
    await codec.prepare(batch.records.map(({ value }) => value));
    for (const { key, value } of batch.records) {
      if (value === null || key === null) continue;
      const tally = codec.decode(value);
      const kept = { what: `${input.topics.tallies}, which the learners keep,`, count: tally.partitions };
      assertSameCount(input.topics.decisions, input.partitions, kept);
      if (tally.partition !== input.partition) continue;
      if (tally.kind === 'progress') progress = newer(progress, tally);
      else sums.set(key, newer(sums.get(key) ?? null, tally));
    }
  }
  const rolledUp = new Map([...sums.values()].filter((one) => one.rolledUp).map((one) => [one.experimentId, one]));
  const standing = Map.groupBy(sums.values(), (tally) => covers(rolledUp.get(tally.experimentId), tally));
  return {
    progress,
    sums: standing.get(false) ?? [],
    covered: standing.get(true) ?? [],
    partKeys: assembler.partKeys,
  };
}

/**
 * Of roll-ups that only the local store knows, sees to it that they are published, before what they cover is removed: by
 * their cuts they may look published, since another owner has published as much without rolling up.
 * @returns keys of the tallies on the log that the join has rolled up, or that are covered there already.
 */
export function coveredKeys({ sums, covered }: PublishedTallies, { state }: PartitionJoin): string[] {
  const rolledUp = sums.filter((one) => !one.rolledUp && state.sums.isRolledUp(one.experimentId, one.cohort));
  for (const { experimentId, cohort } of rolledUp) {
    state.sums.touch(experimentId, state.sums.standsUnder(experimentId, cohort));
  }
  return [...covered, ...rolledUp].map(({ experimentId, partition, cohort }) =>
    cohortSumsKey(experimentId, partition, cohort),
  );
}

function newer<T extends Tally>(known: T | null, read: T): T {
  return known === null || reflectedBy(known.offsets, read.offsets) ? read : known;
}

export interface Restored {
  readonly join: PartitionJoin;
  readonly reader: InputReader;
  readonly from: 'store' | 'tallies' | 'log';
}

/**
 * @param stop ends a long restoration; what was restored so far is thrown away.
 * @throws what `stop` was aborted with; Corrupt when log and tallies contradict each other, or the store cannot be read.
 */
export async function restore(
  options: PartitionJoinOptions,
  input: InputReaderOptions,
  published: PublishedTallies,
  stop: AbortSignal,
): Promise<Restored> {
  const stored = await PartitionJoin.open(options);
  const { offsets } = stored.state;
  if (await isUsable(offsets, input)) return { join: stored, reader: new InputReader(input, offsets), from: 'store' };
  await options.store.clear();
  const join = await PartitionJoin.open(options);
  const { progress, sums } = published;
  if (progress === null && sums.length === 0) return { join, reader: new InputReader(input, AT_START), from: 'log' };
  if (progress !== null) await assertKept(progress.offsets, input);
  // Without a record of progress the very first publication was cut short: the ladder begins at the log's start.
  const begin = progress ?? join.progress();
  const reader = new InputReader(input, await refillFrom(options, input, begin));
  try {
    await restoreFromTallies(join, reader, { progress: begin, sums }, stop);
  } catch (error) {
    await reader.close();
    throw error;
  }
  return { join, reader, from: 'tallies' };
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

/** @throws Corrupt when the log has dropped records that nobody has learned from yet. */
async function assertKept(offsets: PerStream, { log, topics, partition }: InputReaderOptions): Promise<void> {
  for (const stream of STREAMS) {
    const start = (await log.admin.offsets(topics[stream]))[partition]?.start ?? 0;
    if (start <= offsets[stream]) continue;
    throw new Corrupt(
      'log-dropped',
      `${topics[stream]}/${partition} begins at ${start}, but only what is before ${offsets[stream]} has been learned ` +
        'from: retention is shorter than the learner was away',
    );
  }
}

async function restoreFromTallies(
  join: PartitionJoin,
  reader: InputReader,
  { progress, sums }: { readonly progress: ProgressTally; readonly sums: readonly CohortTally[] },
  stop: AbortSignal,
): Promise<void> {
  for (const tally of sums) join.restore(tally);
  await join.adopt(sums);
  const unseen: Replayed = { counted: false, learned: () => false };
  await fold(join, reader, progress.offsets, unseen, stop);
  join.resume(progress, progress.counts);
  // The books count as run out what has by those clocks, even where the last record before them is older.
  await join.writeGroups(unseen);
  // A stop between two publications leaves some tallies ahead of the progress record. Each rung of this ladder reads
  // exactly up to such a tally's cut, learning all but what that tally and those ahead of it already reflect.
  for (const cut of rungs(progress.offsets, sums)) {
    const ahead = new Map(
      sums.filter(({ offsets }) => reflectedBy(cut, offsets)).map((tally) => [tallyName(tally), tally]),
    );
    const learned = ({ decision: { experimentId }, cohort }: SumDelta) =>
      !ahead.has(tallyName({ experimentId, cohort: join.state.sums.standsUnder(experimentId, cohort) }));
    await fold(join, reader, cut, { counted: true, learned }, stop);
  }
  // Stores what the ladder learned as changed: it is in no tally yet, so it must be published before any progress is.
  // The tallies ahead go with it: what changed since the progress is published together.
  const ahead = sums.filter(({ offsets }) => !reflectedBy(offsets, progress.offsets));
  await join.restamp(ahead, progress.offsets);
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

async function refillFrom(
  { rules }: PartitionJoinOptions,
  { log, topics, partition }: InputReaderOptions,
  progress: ProgressTally,
): Promise<PerStream> {
  const fromMs = Math.max(0, lowClock(progress.clocks) - rebuiltFromMs(rules.limits));
  const [decisions, rewards] = await Promise.all([
    log.admin.offsetsAt(topics.decisions, fromMs),
    log.admin.offsetsAt(topics.rewards, fromMs),
  ]);
  return {
    decisions: Math.min(decisions[partition] ?? 0, progress.offsets.decisions),
    rewards: Math.min(rewards[partition] ?? 0, progress.offsets.rewards),
  };
}

async function fold(
  join: PartitionJoin,
  reader: InputReader,
  cut: PerStream,
  replayed: Replayed,
  stop: AbortSignal,
): Promise<void> {
  let unwritten = 0;
  for await (const records of reader.readUpTo(cut, READ_WAIT_MS_MAX)) {
    stop.throwIfAborted();
    join.fold(records, replayed);
    unwritten += records.length;
    if (unwritten < RECORDS_PER_WRITE) continue;
    await join.writeGroups(replayed);
    unwritten = 0;
  }
  await join.writeGroups(replayed);
}
