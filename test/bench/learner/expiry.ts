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
import { openSegmentStore } from '../../../services/platform/store/segments/store.ts';
import { median } from '../measure.ts';
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
const WARM_UP_PARTS = 5;
/** When the first day begins: 2026-01-01. */
const FIRST_DAY_MS = Date.UTC(2026, 0, 1);
/** The second day takes so long by the log's clock: units are visited every four days, and each of the first has to be. */
const SECOND_DAY_STRETCH = 5;
/** After the first day, and long before anything of it runs out. */
const NOT_DUE_AFTER_MS = 5 * DAY_MS;

export interface Expiry {
  readonly decisions: number;
  /** CPU of learning with the expiry as a multiple of learning without, median over the rounds. */
  readonly cpuRatio: number;
}

export async function measureExpiry(shape: Shape, tallyCodec: Codec<Tally>, rounds: number): Promise<Expiry> {
  const progress = startProgress({ label: 'expiry', total: rounds * 2, unit: 'runs', to: process.stderr });
  const ratios: number[] = [];
  // Compiled code is what is compared.
  await learn({ ...shape, live: shape.live / WARM_UP_PARTS }, tallyCodec, decisionMemoryMs(LIMITS));
  for (let round = 0; round < rounds; round++) {
    const without = await learn(shape, tallyCodec, NOT_DUE_AFTER_MS);
    progress.update(round * 2 + 1);
    const withExpiry = await learn(shape, tallyCodec, decisionMemoryMs(LIMITS));
    progress.update(round * 2 + 2);
    if (without.expired !== 0 || withExpiry.expired < 0.9 * shape.live) {
      throw new Error(`expired: ${without.expired} without, ${withExpiry.expired} with, of ${shape.live}`);
    }
    ratios.push(withExpiry.cpuUs / without.cpuUs);
  }
  progress.stop();
  return { decisions: shape.live, cpuRatio: median(ratios) };
}

/** @returns CPU of the second day, and how many decisions of the first have run out by its end. */
async function learn(
  shape: Shape,
  tallyCodec: Codec<Tally>,
  secondDayAfterMs: number,
): Promise<{ cpuUs: number; expired: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'croupier-expiry-'));
  const experiments = new Map(experimentsOf(shape).map((one) => [one.id, { ...one, appliedAtMs: [FIRST_DAY_MS] }]));
  const store = await openSegmentStore({ folder, cacheBytes: CACHE_BYTES, onUnreadable: rethrow });
  try {
    const rules = { experiments, limits: LIMITS };
    const options = { partition: 0, partitions: 1, rules, store, tallyCodec };
    const day = new Days(await PartitionJoin.open(options));
    // All of the first day stay without reward, and their units do not come again.
    await day.learn(events({ ...shape, pending: shape.live, live: 0 }, FIRST_DAY_MS), {
      name: 'first',
      beginMs: FIRST_DAY_MS,
      stretch: 1,
    });
    const before = process.cpuUsage();
    const secondMs = FIRST_DAY_MS + secondDayAfterMs;
    await day.learn(events({ ...shape, pending: 0 }, secondMs), {
      name: 'second',
      beginMs: secondMs,
      stretch: SECOND_DAY_STRETCH,
    });
    const { user, system } = process.cpuUsage(before);
    return { cpuUs: user + system, expired: day.join.state.counts.decisionsExpired };
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Day {
  readonly name: string;
  readonly beginMs: number;
  /** How many times longer it takes by the log's clock than by its events' own. */
  readonly stretch: number;
}

class Days {
  readonly join: PartitionJoin;
  private readonly next = { decisions: 0, rewards: 0 };

  constructor(join: PartitionJoin) {
    this.join = join;
  }

  async learn(all: Iterable<BenchEvent>, day: Day): Promise<void> {
    let records: InputRecord[] = [];
    for (const event of all) {
      records.push(this.recordOf(event, day));
      if (records.length < EVENTS_PER_COMMIT) continue;
      await this.commit(records);
      records = [];
    }
    await this.commit(records);
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
