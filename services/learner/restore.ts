/**
 * Brings a partition's join back when it is taken over: from the local store if that is usable, else from the tallies
 * and a second reading of the inputs that fill its groups. Owns nothing; returns a join that stands at known offsets.
 */
import type { Codec } from '../contracts/codec.ts';
import { cohortSumsKey } from '../contracts/keys.ts';
import { Assembler } from '../contracts/parts.ts';
import { Corrupt } from '../core/errors.ts';
import { AT_START, type ExperimentId, type PerStream, STREAMS } from '../core/events.ts';
import { experimentOfLine, lineOf, type Promotion } from '../core/experiment.ts';
import { lowClock, rebuiltFromMs } from '../core/join/group.ts';
import type { SumDelta } from '../core/learning/sums.ts';
import {
  type CohortTally,
  covers,
  isSameCut,
  type ProgressTally,
  reflectedBy,
  type Tally,
} from '../core/learning/tally.ts';
import { InputReader, type InputReaderOptions } from '../platform/join/input-reader.ts';
import {
  FOR_GROUPS_ALONE,
  PartitionJoin,
  type PartitionJoinOptions,
  type Replayed,
} from '../platform/join/partition-join.ts';
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

/**
 * A line begins with the cut of its promotion, or with the log where that was made for other learners, until some owner's progress says that its tallies are published.
 * @returns the cuts of those lines whose progress the log does not tell.
 */
function newLines(
  { rules }: PartitionJoinOptions,
  { partition, topics }: InputReaderOptions,
  progress: Pick<ProgressTally, 'lines'>,
): Map<ExperimentId, Promotion['cuts'][number]> {
  const promoted = [...rules.experiments.values()].flatMap((one) => {
    if (one.promotion === null) return [];
    const cut = one.promotion.tallies === topics.tallies ? one.promotion.cuts[partition] : undefined;
    return [[lineOf(one), cut ?? { offsets: AT_START, clocks: AT_START }] as const];
  });
  return new Map(promoted.filter(([line]) => !progress.lines.includes(line)));
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

/** What a line taught that another has taken the place of, or that never took over, is of no use to anybody. */
function isLearned(line: ExperimentId, { rules }: PartitionJoinOptions): boolean {
  const experiment = rules.experiments.get(experimentOfLine(line));
  return experiment === undefined || lineOf(experiment) === line;
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
  const { progress } = published;
  const sums = published.sums.filter(({ experimentId }) => isLearned(experimentId, options));
  if (progress === null && sums.length === 0) return { join, reader: new InputReader(input, AT_START), from: 'log' };
  if (progress !== null) await assertKept(progress.offsets, input);
  // Without a record of progress the very first publication was cut short: the ladder begins at the log's start.
  const begin = progress ?? { ...join.progress(), lines: [] };
  const lines = newLines(options, input, begin);
  const first = [...lines.values()].reduce((low, cut) => (reflectedBy(cut.offsets, low.offsets) ? cut : low), begin);
  const reader = new InputReader(input, await refillFrom(options, input, first));
  try {
    await restoreFromTallies(join, reader, { progress: begin, sums, lines }, stop);
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

interface Base {
  readonly progress: ProgressTally;
  readonly sums: readonly CohortTally[];
  /** By line, what its sums reflect where no tally says more: lines that the progress does not speak of. */
  readonly lines: ReadonlyMap<ExperimentId, { readonly offsets: PerStream }>;
}

/**
 * A stop between two publications leaves some tallies ahead of the progress record, and a promotion some lines behind it.
 * Each rung of this ladder reads exactly up to where some sums stand, learning all but what sums ahead already reflect.
 */
async function restoreFromTallies(
  join: PartitionJoin,
  reader: InputReader,
  { progress, sums, lines }: Base,
  stop: AbortSignal,
): Promise<void> {
  for (const tally of sums) join.restore(tally);
  await join.adopt(sums);
  // Of a line that the progress speaks of, a tally that is older than the progress has not changed since.
  const own = sums.filter((tally) => lines.has(tally.experimentId) || !reflectedBy(tally.offsets, progress.offsets));
  const cuts = new Map(own.map((tally) => [tallyName(tally), tally.offsets]));
  let at: PerStream = AT_START;
  const learned = ({ line, cohort }: SumDelta): boolean => {
    const name = tallyName({ experimentId: line, cohort: join.state.sums.standsUnder(line, cohort) });
    return reflectedBy(cuts.get(name) ?? lines.get(line)?.offsets ?? progress.offsets, at);
  };
  const stands = [...lines.values(), ...own].map(({ offsets }) => offsets);
  let counted = false;
  for (const [i, cut] of rungs([progress.offsets, ...stands]).entries()) {
    // Below the first rung all is reflected by what stands there.
    await fold(join, reader, cut, i === 0 ? FOR_GROUPS_ALONE : { counted, learned }, stop);
    at = cut;
    if (!isSameCut(cut, progress.offsets)) continue;
    join.resume(progress, progress.counts);
    // The books count as run out what has by those clocks, even where the last record before them is older.
    await join.writeGroups(FOR_GROUPS_ALONE);
    if (lines.size > 0) await join.restate(stop);
    counted = true;
  }
  // Stores what the ladder learned as changed: it is in no tally yet, so it must be published before any progress is.
  // What stands at a cut of its own goes with it: what changed since the progress is published together.
  const promoted = join.state.sums.entries().filter(({ experimentId }) => lines.has(experimentId));
  await join.restamp([...own, ...promoted], progress.offsets);
}

function tallyName({ experimentId, cohort }: Pick<CohortTally, 'experimentId' | 'cohort'>): string {
  return `${experimentId}/${cohort}`;
}

/** @returns each cut once, ascending. @throws Corrupt when two of them cannot be ordered. */
function rungs(cuts: readonly PerStream[]): PerStream[] {
  const ascending = cuts.toSorted((a, b) => a.decisions + a.rewards - b.decisions - b.rewards);
  ascending.reduce((lower, upper) => {
    if (reflectedBy(lower, upper)) return upper;
    throw new Corrupt(
      'tallies-diverge',
      `tallies at offsets ${JSON.stringify(lower)} and ${JSON.stringify(upper)} were not written by one line of owners`,
    );
  });
  return ascending.filter((cut, i) => i === 0 || !isSameCut(cut, ascending[i - 1]!));
}

async function refillFrom(
  { rules }: PartitionJoinOptions,
  { log, topics, partition }: InputReaderOptions,
  progress: Pick<ProgressTally, 'offsets' | 'clocks'>,
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
