/**
 * The join store of one partition: unit groups on disk, the state machine of core/learning in memory, and one atomic
 * commit of both. Owns the store's contents; knows nothing of topics, publishing or ownership.
 */
import type { Codec } from '../../contracts/codec.ts';
import {
  decodeGroup,
  decodeHeader,
  encodeGroup,
  encodeHeader,
  FORMAT,
  groupKey,
  HEADER_KEY,
  type StoredGroup,
  type StoreHeader,
  SUMS_FROM,
  SUMS_TO,
  sumsKey,
  TIMERS_FROM,
  timerKey,
  timersTo,
  unitOfTimer,
} from '../../contracts/store-format.ts';
import { Corrupt, Invalid } from '../../core/errors.ts';
import { AT_START, type PerStream, type UnitId } from '../../core/events.ts';
import { emptyGroup, type Group, groupDueMs, isEmpty, lowClock } from '../../core/join/group.ts';
import {
  type Change,
  deadLettered,
  expire,
  handleDecision,
  handleReward,
  PartitionState,
  type Rules,
} from '../../core/learning/partition.ts';
import { rolledUpBefore } from '../../core/learning/roll-up.ts';
import type { RolledUp, SumDelta } from '../../core/learning/sums.ts';
import { type CohortTally, type ProgressTally, reflectedBy, type Tally } from '../../core/learning/tally.ts';
import { compareKeys, type Store } from '../store/port.ts';
import type { InputRecord } from './input.ts';

/** Groups fall due in steps of this log time, so that one scan of the timers serves many. */
const TIMER_STEP_MS = 1_000;
const TIMERS_PER_SCAN = 1_000;
/** Groups kept in memory between commits; the store's own cache serves the rest. */
const WARM_GROUPS_MAX = 50_000;

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

export interface Refused {
  readonly record: InputRecord;
  readonly reason: Invalid;
}

interface WarmGroup {
  group: Group;
  timerBucket: number | null;
  changed: boolean;
}

export class PartitionJoin {
  readonly state = new PartitionState();
  private published: PerStream = AT_START;
  private readonly options: PartitionJoinOptions;
  private readonly warm = new Map<UnitId, WarmGroup>();
  /** Timers of buckets below this one have fired. */
  private firedBelow = 0;
  private readonly timerChanges = { puts: new Set<string>(), deletes: new Set<string>() };

  private constructor(options: PartitionJoinOptions) {
    this.options = options;
  }

  /** @returns a join that goes on from the store, or an empty one on a cleared store when it holds nothing usable. */
  static async open(options: PartitionJoinOptions): Promise<PartitionJoin> {
    const join = new PartitionJoin(options);
    if (await join.load()) return join;
    await options.store.clear();
    return new PartitionJoin(options);
  }

  private async load(): Promise<boolean> {
    const { store, partition, partitions, rules, tallyCodec } = this.options;
    const [bytes] = await store.getMany([HEADER_KEY]);
    const header = bytes === undefined ? null : decodeHeader(bytes);
    if (header === null) return false;
    const fits =
      header.partition === partition &&
      header.partitions === partitions &&
      JSON.stringify(header.limits) === JSON.stringify(rules.limits);
    if (!fits) return false;
    const tallies = (await store.range(SUMS_FROM, SUMS_TO, Number.MAX_SAFE_INTEGER)).map(([, value]) => value);
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
  async fold(records: readonly InputRecord[], replayed?: Replayed): Promise<Refused[]> {
    await this.warmUp(records.flatMap(({ event }) => (event instanceof Invalid ? [] : [event.unitId])));
    const refused: Refused[] = [];
    for (const input of records) {
      const clockMs = this.state.observe(input.stream, input.nextOffset, input.record.appendTimeMs);
      try {
        this.apply(this.changeOf(input, clockMs), replayed);
      } catch (error) {
        if (!(error instanceof Invalid)) throw error;
        refused.push({ record: input, reason: error });
        if (replayed?.counted !== false) this.state.apply({ deltas: [], counts: deadLettered(input.stream) });
      }
    }
    return refused;
  }

  private changeOf(input: InputRecord, clockMs: number): Change {
    if (input.event instanceof Invalid) throw input.event;
    const group = this.warmGroup(input.event.unitId).group;
    return input.stream === 'decisions'
      ? handleDecision(group, input.event as Parameters<typeof handleDecision>[1], clockMs, this.options.rules)
      : handleReward(group, input.event as Parameters<typeof handleReward>[1], clockMs, this.options.rules);
  }

  private apply(change: Change, replayed?: Replayed): void {
    const warm = this.warmGroup(change.group.unitId);
    if (warm.group !== change.group) {
      warm.group = change.group;
      warm.changed = true;
      this.setTimer(warm);
    }
    if (replayed === undefined) this.state.apply(change);
    else {
      this.state.apply({
        deltas: change.deltas.filter((delta) => replayed.learned(delta)),
        counts: replayed.counted ? change.counts : {},
      });
    }
  }

  /**
   * Sets the group's timer unless one that fires as early is set; that one will set the next. A later one is moved: one
   * stream may be far ahead of the other, and when an entry goes must not depend on that.
   */
  private setTimer(warm: WarmGroup): void {
    const dueMs = groupDueMs(warm.group, this.options.rules.limits);
    if (dueMs === null) return;
    const bucket = Math.floor(dueMs / TIMER_STEP_MS) + 1;
    if (warm.timerBucket !== null) {
      if (warm.timerBucket <= bucket) return;
      this.removeTimer(timerKey(warm.timerBucket, warm.group.unitId));
    }
    warm.timerBucket = bucket;
    const key = timerKey(bucket, warm.group.unitId);
    this.timerChanges.deletes.delete(key);
    this.timerChanges.puts.add(key);
  }

  private removeTimer(key: string): void {
    this.timerChanges.puts.delete(key);
    this.timerChanges.deletes.add(key);
  }

  /** Drops what has run out by the log clocks: a function of offsets, not of when it is called. */
  private async expire(replayed?: Replayed): Promise<void> {
    const bucket = Math.floor(lowClock(this.state.clocks) / TIMER_STEP_MS);
    if (bucket < this.firedBelow) return;
    this.firedBelow = bucket + 1;
    const end = timersTo(bucket + 1);
    let from = TIMERS_FROM;
    for (;;) {
      const fired = await this.timersBetween(from, end);
      if (fired.length === 0) return;
      await this.warmUp(fired.map(unitOfTimer));
      for (const key of fired) this.fire(key, bucket * TIMER_STEP_MS, replayed);
      from = `${fired.at(-1)!}\0`;
    }
  }

  private async timersBetween(from: string, to: string): Promise<string[]> {
    const stored = await this.options.store.range(from, to, TIMERS_PER_SCAN);
    const unstored = [...this.timerChanges.puts].filter(
      (key) => compareKeys(key, from) >= 0 && compareKeys(key, to) < 0,
    );
    return [...new Set([...stored.map(([key]) => key), ...unstored])]
      .filter((key) => !this.timerChanges.deletes.has(key))
      .sort(compareKeys)
      .slice(0, TIMERS_PER_SCAN);
  }

  private fire(key: string, lowClockMs: number, replayed?: Replayed): void {
    this.removeTimer(key);
    const warm = this.warmGroup(unitOfTimer(key));
    warm.timerBucket = null;
    warm.changed = true;
    this.apply(expire(warm.group, lowClockMs, this.options.rules), replayed);
    this.setTimer(warm);
  }

  /**
   * Expires, then writes groups, sums, offsets and books in one atomic step.
   * @param publishedUpTo offsets up to which the tallies are published.
   */
  async commit(publishedUpTo: PerStream): Promise<Committed> {
    await this.expire();
    this.published = publishedUpTo;
    const rolledUp = this.rollUp();
    const tallies = this.state.sums
      .takeChanged()
      .map((changed) => this.encode({ kind: 'sums', ...this.cut(), ...changed }));
    const gone = rolledUp.flatMap((one) => one.gone.map((cohort) => sumsKey(one.experimentId, cohort)));
    await this.write([...tallies.map(tallyEntry), [HEADER_KEY, encodeHeader(this.header())]], gone);
    return { tallies, rolledUp };
  }

  /** Looks only at experiments that changed: one that rests gets no more cohorts. */
  private rollUp(): RolledUp[] {
    const { rules, rollUpAgeMs } = this.options;
    if (rollUpAgeMs === undefined) return [];
    const now = { lowClockMs: lowClock(this.state.clocks), ageMs: rollUpAgeMs };
    return this.state.sums.changedExperiments().flatMap((id) => {
      const experiment = rules.experiments.get(id);
      if (experiment === undefined) return [];
      return this.state.sums.rollUp(id, rolledUpBefore(experiment, now)) ?? [];
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
    await this.expire(replayed);
    await this.write([]);
  }

  /** Takes over tallies that are published already. */
  async adopt(tallies: readonly CohortTally[]): Promise<void> {
    await this.write(tallies.map((tally) => tallyEntry(this.encode(tally))));
  }

  private async write(entries: readonly (readonly [string, Buffer])[], gone: readonly string[] = []): Promise<void> {
    const puts = [...entries];
    const deletes = [...gone, ...this.timerChanges.deletes];
    for (const key of this.timerChanges.puts) puts.push([key, Buffer.alloc(0)]);
    for (const { group, timerBucket, changed } of this.warm.values()) {
      if (!changed) continue;
      if (isEmpty(group)) deletes.push(groupKey(group.unitId));
      else puts.push([groupKey(group.unitId), encodeGroup({ group, timerBucket })]);
    }
    await this.options.store.commit({ puts, deletes });
    this.forgetStored();
  }

  private forgetStored(): void {
    this.timerChanges.puts.clear();
    this.timerChanges.deletes.clear();
    if (this.warm.size > WARM_GROUPS_MAX) this.warm.clear();
    else for (const warm of this.warm.values()) warm.changed = false;
  }

  /** @returns the stored tallies that may not have been published: those that reflect more than what is said to be. */
  async unpublished(publishedUpTo: PerStream): Promise<EncodedTally[]> {
    const entries = await this.options.store.range(SUMS_FROM, SUMS_TO, Number.MAX_SAFE_INTEGER);
    return entries.flatMap(([, value]) => {
      const tally = decodeStored(value, this.options.tallyCodec) as CohortTally;
      const isPublished = [this.published, publishedUpTo].some((upTo) => reflectedBy(tally.offsets, upTo));
      return isPublished ? [] : [encoded(tally, value)];
    });
  }

  progress(): ProgressTally {
    return { kind: 'progress', ...this.cut(), counts: { ...this.state.counts } };
  }

  private encode(tally: CohortTally): EncodedTally {
    return encoded(tally, this.options.tallyCodec.encode(tally));
  }

  private cut(): Omit<ProgressTally, 'kind' | 'counts'> {
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
    };
  }

  private async warmUp(units: readonly UnitId[]): Promise<void> {
    const cold = [...new Set(units)].filter((unitId) => !this.warm.has(unitId));
    if (cold.length === 0) return;
    const values = await this.options.store.getMany(cold.map(groupKey));
    values.forEach((value, index) => {
      const unitId = cold[index]!;
      const stored: StoredGroup =
        value === undefined ? { group: emptyGroup(unitId), timerBucket: null } : decodeStoredGroup(unitId, value);
      this.warm.set(unitId, { ...stored, changed: false });
    });
  }

  private warmGroup(unitId: UnitId): WarmGroup {
    const warm = this.warm.get(unitId);
    if (warm === undefined) throw new Corrupt('cold-group', `the group of unit ${unitId} was not loaded`);
    return warm;
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

function decodeStoredGroup(unitId: UnitId, value: Buffer): StoredGroup {
  try {
    return decodeGroup(unitId, value);
  } catch (error) {
    throw unreadable(`group of unit ${unitId}`, error);
  }
}

function tallyEntry({ experimentId, cohort, value }: EncodedTally): [string, Buffer] {
  return [sumsKey(experimentId, cohort), value];
}

function encoded({ experimentId, cohort, rolledUp }: CohortTally, value: Buffer): EncodedTally {
  return { experimentId, cohort, rolledUp, value };
}

export interface EncodedTally extends Pick<CohortTally, 'experimentId' | 'cohort' | 'rolledUp'> {
  readonly value: Buffer;
}
