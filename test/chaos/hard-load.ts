/**
 * Decisions and rewards as they come at their worst: late by days, before their decision, twice, revised, unreadable. A day of
 * the log's time is as short as asked for, since the log's clock is nobody's to set. Owns its writer and the schedule.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArmId, DecisionId, ExperimentId } from '../../services/core/events.ts';
import type { JoinLimits } from '../../services/core/join/group.ts';
import { type Random, seededRandom } from '../../services/core/random.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import type { AppendRecord, LogWriter } from '../../services/platform/log/port.ts';
import { decision, reward } from '../support/core.ts';
import type { Installation } from '../support/installation.ts';

export interface HardShape {
  readonly decisions: number;
  readonly partitions: number;
  /** How long a day is on the log. */
  readonly dayMs: number;
  /** Over how many such days the decisions come; the last rewards come 33 days later. */
  readonly days: number;
}

/** Of the rewards asked for, how many met which fate on the log, by the clock of who sent them. */
export interface Fates {
  delayed: number;
  early: number;
  late: number;
  twice: number;
  revised: number;
  malformed: number;
}

export const EXPERIMENT = 'million' as ExperimentId;
export const ARMS = ['a', 'b', 'c'];
const TICK_MS = 50;
const DECISIONS_PER_UNIT = 4;
const WINDOW_DAYS = 30;
const GRACE_DAYS = 1;
/** After the last decision. */
const LAST_DAYS = 33;
const NOT_SENT = 0;

export function hardLimits({ dayMs }: HardShape): JoinLimits {
  return {
    windowMs: WINDOW_DAYS * dayMs,
    graceMs: GRACE_DAYS * dayMs,
    earlyGraceMs: dayMs,
    unitEventsMax: 200,
    unitSpanMs: dayMs,
  };
}

/** A record to be appended: a decision, or one revision of a reward of it. */
interface Due {
  readonly of: number;
  readonly reward: { readonly number: number; readonly revision: number; readonly occurredAtMs: number } | null;
  readonly decidedAtMs: number;
  readonly isMalformed: boolean;
  readonly isRepeat: boolean;
}

export class HardLoad {
  readonly fates: Fates = { delayed: 0, early: 0, late: 0, twice: 0, revised: 0, malformed: 0 };
  readonly rewards: number;
  /** Records appended. */
  sent = 0;
  private readonly installation: Installation;
  private readonly shape: HardShape;
  private readonly writer: LogWriter;
  private readonly random: Random = seededRandom(1);
  private readonly dueByTick = new Map<number, Due[]>();
  private readonly appendedAtMs: Float64Array;
  private tick = 0;
  private begun = 0;

  constructor(installation: Installation, shape: HardShape) {
    this.installation = installation;
    this.shape = shape;
    this.writer = installation.log.writer();
    this.appendedAtMs = new Float64Array(shape.decisions).fill(NOT_SENT);
    this.rewards = rewardsBefore(shape.decisions);
  }

  /** How much of the time that it takes is over. */
  get progress(): number {
    return Math.min(1, this.tick / ((this.shape.days + LAST_DAYS) * this.ticksADay));
  }

  private get ticksADay(): number {
    return this.shape.dayMs / TICK_MS;
  }

  /** Sends it all, a tick of the schedule at a time, never faster than time goes: delays become longer, not shorter. */
  async send(): Promise<void> {
    const { decisions, days } = this.shape;
    const ticks = days * this.ticksADay;
    for (; this.begun < decisions || this.dueByTick.size > 0; this.tick++) {
      const atMs = Date.now();
      const upTo = Math.min(decisions, Math.ceil((decisions * (this.tick + 1)) / ticks));
      for (; this.begun < upTo; this.begun++) this.begin(this.begun, atMs);
      const due = this.dueByTick.get(this.tick) ?? [];
      this.dueByTick.delete(this.tick);
      await this.append(due);
      await sleep(Math.max(0, atMs + TICK_MS - Date.now()));
    }
  }

  async close(): Promise<void> {
    await this.writer.close();
  }

  /** Puts a decision and all that will become of it on the schedule. */
  private begin(of: number, decidedAtMs: number): void {
    const { next } = this.random;
    const fates = Array.from({ length: rewardsBefore(of + 1) - rewardsBefore(of) }, (_, nth) => {
      const number = rewardsBefore(of) + nth;
      return { number, fate: fateOf(number) };
    });
    // Where a reward comes before it, the decision is what is late.
    const lateDays = fates.some(({ fate }) => fate === 'early') ? 0.6 : 0;
    const base = { of, decidedAtMs, reward: null, isMalformed: of % 100 === 7, isRepeat: false };
    this.schedule(lateDays, base);
    if (of % 10 === 3) this.schedule(1 + 5 * next(), { ...base, isRepeat: true });
    for (const { number, fate } of fates) {
      const { afterDays, occurredDays } = this.times(fate, lateDays);
      const occurredAtMs = decidedAtMs + occurredDays * this.shape.dayMs;
      const due = { ...base, reward: { number, revision: 0, occurredAtMs }, isMalformed: fate === 'malformed' };
      this.schedule(afterDays, due);
      if (fate === 'malformed') this.fates.malformed += 1;
      if (fate === 'twice') {
        this.fates.twice += 1;
        this.schedule(afterDays + 5 * next(), { ...due, isRepeat: true });
      }
      if (fate === 'revised') {
        this.fates.revised += 1;
        this.schedule(afterDays + 10 * next(), { ...due, reward: { ...due.reward, revision: 1 } });
      }
    }
  }

  /** When a reward comes and when it says that it occurred, in days after the decision was made. */
  private times(fate: Fate, lateDays: number): { readonly afterDays: number; readonly occurredDays: number } {
    const part = this.random.next();
    switch (fate) {
      case 'early':
        return { afterDays: 0.1 + 0.2 * part, occurredDays: 0.1 * part };
      case 'late':
        return { afterDays: lateDays + WINDOW_DAYS + GRACE_DAYS + 0.4 + part, occurredDays: 1 };
      case 'delayed': {
        const days = lateDays + 1.5 + 26 * part ** 3;
        return { afterDays: days, occurredDays: days };
      }
      default:
        return { afterDays: lateDays + 0.1 + 0.3 * part, occurredDays: 0.1 * part };
    }
  }

  private schedule(afterDays: number, due: Due): void {
    const tick = this.tick + Math.round(afterDays * this.ticksADay);
    const known = this.dueByTick.get(tick);
    if (known === undefined) this.dueByTick.set(tick, [due]);
    else known.push(due);
  }

  private async append(due: readonly Due[]): Promise<void> {
    const fromMs = Date.now();
    for (const one of due) this.note(one, fromMs);
    const byPlace = Map.groupBy(due, (one) => {
      const topic = this.installation.topics[one.reward === null ? 'decisions' : 'rewards'];
      return `${topic}/${partitionOf(this.unitOf(one.of), this.shape.partitions)}`;
    });
    const appends = [...byPlace].map(([place, records]) => {
      const [topic, partition] = place.split('/') as [string, string];
      return this.writer.append(
        { topic, partition: Number(partition) },
        records.map((one) => this.recordOf(one)),
      );
    });
    await Promise.all(appends);
    const toMs = Date.now();
    this.sent += due.length;
    for (const one of due) {
      if (one.reward === null && this.appendedAtMs[one.of] === NOT_SENT) this.appendedAtMs[one.of] = toMs;
    }
  }

  /** By when the decision was surely on the log, and the reward not yet. */
  private note(due: Due, atMs: number): void {
    if (due.reward === null || due.reward.revision > 0 || due.isRepeat) return;
    const decidedMs = this.appendedAtMs[due.of]!;
    const { dayMs } = this.shape;
    if (decidedMs === NOT_SENT) this.fates.early += 1;
    else if (atMs - decidedMs > (WINDOW_DAYS + GRACE_DAYS) * dayMs) this.fates.late += 1;
    else if (atMs - decidedMs > dayMs) this.fates.delayed += 1;
  }

  private unitOf(of: number): string {
    const units = Math.ceil(this.shape.decisions / DECISIONS_PER_UNIT);
    return `user-${(of * 7_919) % units}`;
  }

  private recordOf(due: Due): AppendRecord {
    const { codecs } = this.installation;
    const unit = this.unitOf(due.of);
    if (due.isMalformed) return { key: unit, value: Buffer.from(`not Avro ${due.of}`) };
    if (due.reward === null) {
      const slots = [{ armId: ARMS[due.of % ARMS.length] as ArmId, propensity: 1 / ARMS.length }];
      const made = decision({ id: `d${due.of}`, unit, atMs: due.decidedAtMs, slots, experimentId: EXPERIMENT });
      return { key: unit, value: codecs.decision.encode(made) };
    }
    const { number, revision, occurredAtMs } = due.reward;
    const won = reward({
      id: `r${number}`,
      unit,
      atMs: Math.round(occurredAtMs),
      revision,
      metric: 'purchase',
      value: revision === 1 && number % 3 === 0 ? null : (number % 32) / 16 + revision,
      decisionId: number % 2 === 0 ? (`d${due.of}` as DecisionId) : null,
    });
    return { key: unit, value: codecs.reward.encode(won) };
  }
}

type Fate = 'malformed' | 'twice' | 'revised' | 'early' | 'late' | 'delayed' | 'prompt';

/** Seven rewards for five decisions. */
function rewardsBefore(of: number): number {
  return Math.floor((of * 7) / 5);
}

/** Of a hundred rewards 1, 10, 10, 5, 2, 32 and 40. */
function fateOf(number: number): Fate {
  const place = (number * 37) % 100;
  if (place < 1) return 'malformed';
  if (place < 11) return 'twice';
  if (place < 21) return 'revised';
  if (place < 26) return 'early';
  if (place < 28) return 'late';
  return place < 60 ? 'delayed' : 'prompt';
}
