/**
 * The join store of one partition: unit groups on disk, the state machine of core/learning in memory, and one atomic
 * commit of both. Owns the store's contents; knows nothing of topics, publishing or ownership.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Codec } from '../../contracts/codec.ts';
import { decodeGroup, encodeGroup } from '../../contracts/group-format.ts';
import {
  decodeHeader,
  encodeHeader,
  FORMAT,
  HEADER_KEY,
  type StoreHeader,
  SUMS_FROM,
  sumsKey,
} from '../../contracts/store-format.ts';
import { Corrupt, Invalid } from '../../core/errors.ts';
import {
  AT_START,
  type Decision,
  type ExperimentId,
  type PerStream,
  type Reward,
  type UnitId,
} from '../../core/events.ts';
import { experimentOfLine, promotedLines } from '../../core/experiment.ts';
import { emptyGroup, type Group, groupDueMs, lowClock } from '../../core/join/group.ts';
import { addCounts, restated, zeroCounts } from '../../core/learning/counts.ts';
import {
  type Change,
  deadLettered,
  expire,
  handleDecision,
  handleReward,
  learnedFrom,
  PartitionState,
  type Rules,
  ranOut,
  runOutBy,
  standing,
} from '../../core/learning/partition.ts';
import { rolledUpBefore } from '../../core/learning/roll-up.ts';
import type { RolledUp, SumDelta } from '../../core/learning/sums.ts';
import { type CohortTally, type ProgressTally, reflectedBy, type Tally } from '../../core/learning/tally.ts';
import { timeOf } from '../log/copied.ts';
import { assertSameCount } from '../log/partition-count.ts';
import { MARK_MAX, type Store } from '../store/port.ts';
import type { InputRecord } from './input.ts';
import { lastVisitOf, stepMs, visitOf } from './visits.ts';

/** Groups looked at before others have their turn. */
const LOOKS_AT_ONCE = 1_000;
/** Groups that take more bytes are decoded and encoded once in a commit, not with each event. */
const BUSY_GROUP_BYTES = 16_384;

export interface PartitionJoinOptions {
  readonly partition: number;
  readonly partitions: number;
  readonly rules: Rules;
  readonly store: Store;
  readonly tallyCodec: Codec<Tally>;
  /** Age of the cohorts that a commit rolls up; without it none are. */
  readonly rollUpAgeMs?: number;
}

/** What a commit wrote. */
export interface Committed {
  /** The tallies that changed since the last commit, as stored. */
  readonly tallies: readonly EncodedTally[];
  readonly rolledUp: readonly RolledUp[];
}

/** Which records are replayed only to fill the groups, because the tallies at hand reflect them already. */
export interface Replayed {
  readonly counted: boolean;
  learned(delta: SumDelta): boolean;
}

/** All that is replayed is reflected already, by the books too. */
export const FOR_GROUPS_ALONE: Replayed = { counted: false, learned: () => false };

export interface Refused {
  readonly record: InputRecord;
  readonly reason: Invalid;
}

export class PartitionJoin {
  readonly state = new PartitionState();
  private published: PerStream = AT_START;
  private readonly options: PartitionJoinOptions;
  /** Large groups as they are now; the store has them from before. */
  private readonly busy = new Map<UnitId, Group>();
  private readonly dueStepMs: number;
  /** What it learns by is fixed when it is opened, whatever is promoted meanwhile. */
  private readonly lines: readonly ExperimentId[];

  private constructor(options: PartitionJoinOptions) {
    this.options = options;
    this.lines = promotedLines(options.rules.experiments.values());
    this.dueStepMs = stepMs(options.rules.limits);
  }

  /**
   * @returns a join that goes on from the store, or an empty one on a cleared store when it holds nothing usable.
   * @throws Corrupt `partitions-changed`.
   */
  static async open(options: PartitionJoinOptions): Promise<PartitionJoin> {
    const join = new PartitionJoin(options);
    if (await join.load()) return join;
    await options.store.clear();
    return new PartitionJoin(options);
  }

  private async load(): Promise<boolean> {
    const { store, partition, partitions, rules, tallyCodec } = this.options;
    const bytes = store.getNamed(HEADER_KEY);
    const header = bytes === undefined ? null : decodeHeader(bytes);
    if (header === null) return false;
    assertSameCount('the input', partitions, { what: 'the local store', count: header.partitions });
    const fits =
      header.partition === partition &&
      JSON.stringify(header.lines) === JSON.stringify(this.lines) &&
      JSON.stringify(header.limits) === JSON.stringify(rules.limits);
    if (!fits) return false;
    const tallies = this.storedTallies();
    await tallyCodec.prepare(tallies);
    for (const value of tallies) this.restore(decodeStored(value, tallyCodec));
    this.resume(header, header.counts);
    this.published = header.published;
    return true;
  }

  /** Puts a tally's sums back. */
  restore(tally: Tally): void {
    if (tally.kind !== 'sums') throw new Corrupt('store-unreadable', 'a progress record stands where sums should');
    this.state.sums.restore(tally);
  }

  resume(cut: { readonly offsets: PerStream; readonly clocks: PerStream }, counts: ProgressTally['counts']): void {
    this.state.offsets = cut.offsets;
    this.state.clocks = cut.clocks;
    Object.assign(this.state.counts, counts);
  }

  /** Folds parsed records, each stream in its order. @returns those that can never be learned from. */
  fold(records: readonly InputRecord[], replayed?: Replayed): Refused[] {
    const refused: Refused[] = [];
    for (const input of records) {
      const clockMs = this.state.observe(input.stream, input.nextOffset, timeOf(input.record));
      try {
        this.learn(input, clockMs, replayed);
      } catch (error) {
        if (!(error instanceof Invalid)) throw error;
        refused.push({ record: input, reason: error });
        if (replayed?.counted !== false) this.state.apply({ deltas: [], counts: deadLettered(input.stream) });
      }
    }
    return refused;
  }

  private learn(input: InputRecord, clockMs: number, replayed?: Replayed): void {
    if (input.event instanceof Invalid) throw input.event;
    const group = this.groupOf(input.event.unitId);
    const { rules } = this.options;
    const handled =
      input.stream === 'decisions'
        ? handleDecision(group, input.event as Decision, clockMs, rules)
        : handleReward(group, input.event as Reward, clockMs, rules);
    if (handled.group !== group) this.keep(handled.group);
    if (replayed !== FOR_GROUPS_ALONE) this.count(learnedFrom(handled, rules), replayed);
  }

  private count(change: Omit<Change, 'group'>, replayed?: Replayed): void {
    if (replayed === undefined) {
      this.state.apply(change);
      return;
    }
    const deltas = change.deltas.filter((delta) => replayed.learned(delta));
    this.state.apply({ deltas, counts: replayed.counted ? change.counts : {} });
  }

  private groupOf(unitId: UnitId): Group {
    const busy = this.busy.get(unitId);
    if (busy !== undefined) return busy;
    const bytes = this.options.store.get(unitId);
    if (bytes === undefined) return emptyGroup(unitId);
    if (bytes.length <= BUSY_GROUP_BYTES) return decodeStoredGroup(unitId, bytes);
    // The store's view holds only until its next call.
    const group = decodeStoredGroup(unitId, Buffer.from(bytes));
    this.busy.set(unitId, group);
    return group;
  }

  private keep(group: Group): void {
    if (this.busy.has(group.unitId)) this.busy.set(group.unitId, group);
    else this.store(group);
  }

  private store(group: Group): void {
    const { store, rules } = this.options;
    const dueMs = groupDueMs(group, rules.limits);
    if (dueMs === null) store.delete(group.unitId);
    else {
      const visit = visitOf(group.unitId, Math.floor(dueMs / this.dueStepMs) + 1);
      const runningOut = runOutBy(group, visit * this.dueStepMs, rules);
      store.put(group.unitId, encodeGroup(group), visit, runningOut <= MARK_MAX ? runningOut : 0);
    }
  }

  /** Drops what has run out by the log clocks: a function of offsets, not of when it is called. */
  private expire(replayed?: Replayed): void {
    for (const group of this.busy.values()) this.store(group);
    this.busy.clear();
    const { store, rules } = this.options;
    const step = Math.floor(lowClock(this.state.clocks) / this.dueStepMs);
    let unread = 0;
    for (const due of store.takeDue(step)) {
      if (due.mark > 0) {
        unread += due.mark;
        due.delete();
        continue;
      }
      const [unitId, value] = due.read();
      // The last visit, not now: what is dropped may not depend on how often somebody looks.
      const lastVisit = lastVisitOf(unitId as UnitId, step);
      const change = expire(decodeStoredGroup(unitId as UnitId, value), lastVisit * this.dueStepMs, rules);
      this.store(change.group);
      this.count(change, replayed);
    }
    if (unread > 0) this.count(ranOut(unread), replayed);
  }

  /**
   * Expires, then writes groups, sums, offsets and books in one atomic step.
   * @param publishedUpTo offsets up to which the tallies are published.
   */
  async commit(publishedUpTo: PerStream): Promise<Committed> {
    this.expire();
    this.published = publishedUpTo;
    const rolledUp = this.rollUp();
    const tallies = this.state.sums
      .takeChanged()
      .map((changed) => this.encode({ kind: 'sums', ...this.cut(), ...changed }));
    const { store } = this.options;
    for (const tally of tallies) putTally(store, tally);
    for (const one of rolledUp) for (const cohort of one.gone) store.deleteNamed(sumsKey(one.experimentId, cohort));
    store.putNamed(HEADER_KEY, encodeHeader(this.header()));
    await store.commit();
    return { tallies, rolledUp };
  }

  /** Looks only at experiments that changed: one that rests gets no more cohorts. */
  private rollUp(): RolledUp[] {
    const { rules, rollUpAgeMs } = this.options;
    if (rollUpAgeMs === undefined) return [];
    const { clocks, sums } = this.state;
    const lowClockMs = lowClock(clocks);
    return sums.changedExperiments().flatMap((id) => {
      const experiment = rules.experiments.get(experimentOfLine(id));
      if (experiment === undefined) return [];
      const times = { lowClockMs, newestCohort: sums.newestCohort(id) };
      return sums.rollUp(id, rolledUpBefore(experiment, times, rollUpAgeMs)) ?? [];
    });
  }

  /** Commits tallies that have not changed since their cut under the present one, with what else changed. */
  async restamp(
    tallies: Iterable<Pick<EncodedTally, 'experimentId' | 'cohort'>>,
    publishedUpTo: PerStream,
  ): Promise<Committed> {
    const { sums } = this.state;
    for (const { experimentId, cohort } of tallies) sums.touch(experimentId, sums.standsUnder(experimentId, cohort));
    return this.commit(publishedUpTo);
  }

  /** Expires and writes groups alone: a store without a header is not usable, which is right while it is being filled. */
  async writeGroups(replayed?: Replayed): Promise<void> {
    this.expire(replayed);
    await this.options.store.commit();
  }

  /** @returns every group of the store, written with `writeGroups` or `commit`. */
  *groups(): Generator<Group> {
    for (const [unitId, value] of this.options.store.units()) yield decodeStoredGroup(unitId as UnitId, value);
  }

  /** Has the books, which were kept by other definitions, say where these see all that is still open. @throws what `stop` says. */
  async restate(stop: AbortSignal): Promise<void> {
    const open = zeroCounts();
    let looks = 0;
    for (const group of this.groups()) {
      addCounts(open, standing(group, this.options.rules));
      if (++looks % LOOKS_AT_ONCE !== 0) continue;
      // Whoever is silent for too long loses the partition.
      await nextTurn();
      stop.throwIfAborted();
    }
    Object.assign(this.state.counts, restated(this.state.counts, open));
  }

  /** Takes over tallies that are published already. */
  async adopt(tallies: readonly CohortTally[]): Promise<void> {
    for (const tally of tallies) putTally(this.options.store, this.encode(tally));
    await this.options.store.commit();
  }

  /**
   * @param published what the log's progress says: up to where, and of which promoted lines.
   * @returns the stored tallies that may not have been published: those that reflect more than what is said to be.
   */
  unpublished(published: Pick<ProgressTally, 'offsets' | 'lines'>): EncodedTally[] {
    const { offsets: publishedUpTo } = published;
    return this.storedTallies().flatMap((value) => {
      const tally = decodeStored(value, this.options.tallyCodec) as CohortTally;
      const isNew = this.lines.includes(tally.experimentId) && !published.lines.includes(tally.experimentId);
      const isPublished = !isNew && [this.published, publishedUpTo].some((upTo) => reflectedBy(tally.offsets, upTo));
      return isPublished ? [] : [encoded(tally, value)];
    });
  }

  private storedTallies(): Buffer[] {
    const { store } = this.options;
    const names = store.names().filter((name) => name.startsWith(SUMS_FROM));
    return names.map((name) => Buffer.from(store.getNamed(name)!));
  }

  /** About how many bytes the units that are pending take, with the sums. */
  pendingBytes(): number {
    return this.options.store.heldBytes();
  }

  progress(): ProgressTally {
    return { kind: 'progress', ...this.cut(), counts: { ...this.state.counts }, lines: this.lines };
  }

  private encode(tally: CohortTally): EncodedTally {
    return encoded(tally, this.options.tallyCodec.encode(tally));
  }

  private cut(): Omit<ProgressTally, 'kind' | 'counts' | 'lines'> {
    const { partition, partitions } = this.options;
    return { partition, partitions, offsets: this.state.offsets, clocks: this.state.clocks };
  }

  private header(): StoreHeader {
    return {
      format: FORMAT,
      ...this.cut(),
      limits: this.options.rules.limits,
      published: this.published,
      counts: this.state.counts,
      lines: this.lines,
    };
  }
}

/** What was written as one thing and cannot be read as it: the store, not the log, is at fault. */
function unreadable(what: string, cause: unknown): Corrupt {
  return new Corrupt('store-unreadable', `the store's ${what} cannot be read: ${String(cause)}`, { cause });
}

function decodeStored(value: Buffer, codec: Codec<Tally>): Tally {
  try {
    return codec.decode(value);
  } catch (error) {
    throw unreadable('tally', error);
  }
}

function decodeStoredGroup(unitId: UnitId, value: Buffer): Group {
  try {
    return decodeGroup(unitId, value);
  } catch (error) {
    throw unreadable(`group of unit ${unitId}`, error);
  }
}

function putTally(store: Store, { experimentId, cohort, value }: EncodedTally): void {
  store.putNamed(sumsKey(experimentId, cohort), value);
}

function encoded({ experimentId, cohort, rolledUp }: CohortTally, value: Buffer): EncodedTally {
  return { experimentId, cohort, rolledUp, value };
}

export interface EncodedTally extends Pick<CohortTally, 'experimentId' | 'cohort' | 'rolledUp'> {
  readonly value: Buffer;
}
