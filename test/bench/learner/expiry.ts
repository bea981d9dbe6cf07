/**
 * What it costs that a day of decisions runs out while another day of events is learned: the join of one partition on its
 * store in this process, without a log, whose clock is told. The same events are learned with that day's end in reach and
 * without, in turn. Owns its folders until it is done.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Codec } from '../../../services/contracts/codec.ts';
import { rethrow } from '../../../services/core/errors.ts';
import { AT_START, type UnitId } from '../../../services/core/events.ts';
import { decisionMemoryMs, type JoinLimits } from '../../../services/core/join/group.ts';
import type { Tally } from '../../../services/core/learning/tally.ts';
import type { InputRecord } from '../../../services/platform/join/input.ts';
import { PartitionJoin } from '../../../services/platform/join/partition-join.ts';
import { startProgress } from '../../../services/platform/progress.ts';
import type { Store } from '../../../services/platform/store/port.ts';
import { openSegmentStore } from '../../../services/platform/store/segments/store.ts';
import { type BenchEvent, events, type Shape } from './events.ts';
import { experimentsOf } from './inputs.ts';

const DAY_MS = 86_400_000;
const LIMITS: JoinLimits = {
  windowMs: 30 * DAY_MS,
  graceMs: DAY_MS,
  earlyGraceMs: DAY_MS,
  unitEventsMax: 200,
  unitSpanMs: DAY_MS,
};
const CACHE_BYTES = 32_000_000;
const EVENTS_PER_COMMIT = 10_000;
const COMMITS_PER_TURN = 5;
const WARM_UP_PARTS = 5;
/** When the first day begins: 2026-01-01. */
const FIRST_DAY_MS = Date.UTC(2026, 0, 1);
/** The second day takes so long by the log's clock: units are visited every eight days, and each of the first has to be. */
const SECOND_DAY_STRETCH = 9;
/** After the first day, and long before anything of it runs out. */
const NOT_DUE_AFTER_MS = 5 * DAY_MS;

/** @returns by round, events learned in a second of CPU with the expiry, as a share of those without. */
export async function measureExpiry(shape: Shape, tallyCodec: Codec<Tally>, rounds: number): Promise<number[]> {
  const progress = startProgress({ label: 'expiry', total: rounds, unit: 'rounds', to: process.stderr });
  // Compiled code is what is compared.
  await measureRound({ ...shape, live: shape.live / WARM_UP_PARTS }, tallyCodec);
  const shares: number[] = [];
  while (shares.length < rounds) {
    const { share, expired } = await measureRound(shape, tallyCodec);
    if (expired.without !== 0 || expired.with < 0.9 * shape.live) {
      throw new Error(`expired: ${expired.without} without, ${expired.with} with, of ${shape.live}`);
    }
    shares.push(share);
    progress.update(shares.length);
  }
  progress.stop();
  return shares;
}

interface Round {
  /** Of events in a second of CPU, with expiry to without. */
  readonly share: number;
  /** Decisions of the first day, by the end of the second. */
  readonly expired: { readonly without: number; readonly with: number };
}

async function measureRound(shape: Shape, tallyCodec: Codec<Tally>): Promise<Round> {
  const without = await TwoDays.open(shape, tallyCodec, NOT_DUE_AFTER_MS);
  const withExpiry = await TwoDays.open(shape, tallyCodec, decisionMemoryMs(LIMITS));
  try {
    let turns = [without, withExpiry];
    while (turns.some(({ isOver }) => !isOver)) {
      for (const days of turns) await days.turn();
      // Each comes first as often as the other.
      turns = turns.toReversed();
    }
    return {
      share: without.cpuUs / withExpiry.cpuUs,
      expired: { without: without.expired, with: withExpiry.expired },
    };
  } finally {
    await without.close();
    await withExpiry.close();
  }
}

interface Day {
  readonly name: string;
  readonly beginMs: number;
  /** How many times longer it takes by the log's clock than by its events' own. */
  readonly stretch: number;
}

class TwoDays {
  isOver = false;
  /** Of the turns of the second day. */
  cpuUs = 0;
  private readonly join: PartitionJoin;
  private readonly store: Store;
  private readonly folder: string;
  private readonly second: Day;
  private readonly events: Iterator<BenchEvent>;
  private readonly next = { decisions: 0, rewards: 0 };

  private constructor(join: PartitionJoin, store: Store, folder: string, shape: Shape, secondMs: number) {
    this.join = join;
    this.store = store;
    this.folder = folder;
    this.second = { name: 'second', beginMs: secondMs, stretch: SECOND_DAY_STRETCH };
    this.events = events({ ...shape, pending: 0 }, secondMs);
  }

  /** The first day is learned already: all of it stays without reward, and its units do not come again. */
  static async open(shape: Shape, tallyCodec: Codec<Tally>, secondDayAfterMs: number): Promise<TwoDays> {
    const folder = await mkdtemp(join(tmpdir(), 'croupier-expiry-'));
    const experiments = new Map(experimentsOf(shape).map((one) => [one.id, { ...one, appliedAtMs: [FIRST_DAY_MS] }]));
    const store = await openSegmentStore({ folder, cacheBytes: CACHE_BYTES, onUnreadable: rethrow });
    const rules = { experiments, limits: LIMITS };
    const joined = await PartitionJoin.open({ partition: 0, partitions: 1, rules, store, tallyCodec });
    const days = new TwoDays(joined, store, folder, shape, FIRST_DAY_MS + secondDayAfterMs);
    const first = { name: 'first', beginMs: FIRST_DAY_MS, stretch: 1 };
    const all = events({ ...shape, pending: shape.live, live: 0 }, FIRST_DAY_MS);
    while (await days.learn(all, first));
    return days;
  }

  get expired(): number {
    return this.join.state.counts.decisionsExpired;
  }

  async turn(): Promise<void> {
    const before = process.cpuUsage();
    for (let commits = 0; commits < COMMITS_PER_TURN && !this.isOver; commits++) {
      this.isOver = !(await this.learn(this.events, this.second));
    }
    const { user, system } = process.cpuUsage(before);
    this.cpuUs += user + system;
  }

  async close(): Promise<void> {
    await this.store.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Learns and commits the next events. @returns whether there may be more. */
  private async learn(all: Iterator<BenchEvent>, day: Day): Promise<boolean> {
    const records: InputRecord[] = [];
    for (let event = all.next(); !event.done; event = all.next()) {
      records.push(this.recordOf(event.value, day));
      if (records.length === EVENTS_PER_COMMIT) break;
    }
    await this.commit(records);
    return records.length === EVENTS_PER_COMMIT;
  }

  private async commit(records: readonly InputRecord[]): Promise<void> {
    const [refused] = this.join.fold(records);
    if (refused !== undefined) throw refused.reason;
    await this.join.commit(AT_START);
  }

  private recordOf({ decision, reward }: BenchEvent, { name, beginMs, stretch }: Day): InputRecord {
    const unitId = `${name}-${(decision ?? reward).unitId}` as UnitId;
    const stream = decision === undefined ? 'rewards' : 'decisions';
    const offset = this.next[stream]++;
    const happenedMs = decision === undefined ? reward.occurredAtMs : decision.decidedAtMs;
    const appendTimeMs = beginMs + (happenedMs - beginMs) * stretch;
    const record = { offset, appendTimeMs, key: unitId, value: null, headers: {} };
    const place = { nextOffset: offset + 1, record };
    return decision === undefined
      ? { stream: 'rewards', ...place, event: { ...reward, unitId } }
      : { stream: 'decisions', ...place, event: { ...decision, unitId } };
  }
}
