/**
 * The live part: simulated users ask the decider for a coupon, and what they turn out to be worth is reported over 30
 * short days, with everything that happens to events in real life. Owns the clockwork and what it measured.
 */
import type { Codecs } from '../../services/contracts/codec.ts';
import type { TopicNames } from '../../services/contracts/keys.ts';
import type { DecisionId, ExperimentId, Reward, RewardId, UnitId } from '../../services/core/events.ts';
import { type Random, seededRandom } from '../../services/core/random.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import type { AppendRecord, Log, LogWriter } from '../../services/platform/log/port.ts';
import { BALANCED_COUPONS, GrowthCase } from '../../services/simulator/growth.ts';
import { ltvReports } from '../../services/simulator/ltv-curve.ts';
import type { DeciderClient } from './decider-client.ts';
import { DAY_MS } from './stage.ts';

export const COUPON = 'coupon' as ExperimentId;
const TICK_MS = 20;
const NEVER_SHARE = 0.1;
const REPEATED_SHARE = 0.1;
const REFUNDED_SHARE = 0.05;
const STRANGER_SHARE = 0.02;
const MALFORMED_SHARE = 0.01;

export interface LiveOptions {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  readonly partitions: number;
  readonly client: DeciderClient;
  readonly decisions: number;
  readonly decisionsPerSecond: number;
  readonly seed: number;
  /** Called when half of the decisions have been made. */
  onHalfTime(): Promise<void>;
  onProgress(decisions: number): void;
  /** Called with where a reward stands on the log, and when it was sent. */
  onReward(place: { readonly partition: number; readonly offset: number; readonly sentAtMs: number }): void;
}

export interface LiveResult {
  readonly decisions: number;
  readonly byReason: ReadonlyMap<string, number>;
  readonly byArm: readonly number[];
  /** Of all users: what was expected of the arms dealt, of the best arms, and of dealing at random. */
  readonly expected: { readonly dealt: number; readonly best: number; readonly random: number };
  /** The same over the last fifth of the users. */
  readonly expectedLately: { readonly dealt: number; readonly best: number; readonly random: number };
  readonly snapshotVersions: { readonly distinct: number; readonly last: number };
  readonly rewardsSent: number;
}

type Due = { readonly atMs: number } & ({ readonly reward: Reward } | { readonly malformedKey: string });

export async function playLive(options: LiveOptions): Promise<LiveResult> {
  const play = new Play(options);
  try {
    await play.run();
  } finally {
    await play.close();
  }
  return play.result();
}

class Play {
  private readonly options: LiveOptions;
  private readonly world = new GrowthCase(BALANCED_COUPONS);
  private readonly random: Random;
  private readonly writer: LogWriter;
  private due: Due[] = [];
  private rewardsSent = 0;
  private readonly byReason = new Map<string, number>();
  private readonly byArm = BALANCED_COUPONS.map(() => 0);
  private readonly worth: { readonly dealt: number; readonly best: number; readonly random: number }[] = [];
  private readonly versions = new Set<number>();
  private lastVersion = 0;

  constructor(options: LiveOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    this.writer = options.log.writer();
  }

  async run(): Promise<void> {
    const { decisions, decisionsPerSecond, onHalfTime, onProgress } = this.options;
    const startedMs = Date.now();
    let asked = 0;
    let halfTime: Promise<void> | null = null;
    while (asked < decisions || this.due.length > 0) {
      const shouldHave = Math.floor(((Date.now() - startedMs) / 1_000) * decisionsPerSecond);
      const batch = Math.min(decisions, Math.max(asked, shouldHave)) - asked;
      await Promise.all(Array.from({ length: batch }, () => this.ask()));
      asked += batch;
      onProgress(asked);
      if (asked >= decisions / 2) halfTime ??= onHalfTime();
      await this.sendDue();
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await halfTime;
  }

  async close(): Promise<void> {
    await this.writer.close();
  }

  result(): LiveResult {
    return {
      decisions: this.worth.length,
      byReason: this.byReason,
      byArm: this.byArm,
      expected: total(this.worth),
      expectedLately: total(this.worth.slice(Math.floor(this.worth.length * 0.8))),
      snapshotVersions: { distinct: this.versions.size, last: this.lastVersion },
      rewardsSent: this.rewardsSent,
    };
  }

  private async ask(): Promise<void> {
    const unit = this.world.nextUnit(this.random);
    const dealt = await this.options.client.decide(COUPON, unit);
    const expected = this.world.expectedRewards(unit);
    this.byReason.set(dealt.reason, (this.byReason.get(dealt.reason) ?? 0) + 1);
    this.byArm[dealt.armIndex]! += 1;
    this.versions.add(dealt.snapshotVersion);
    this.lastVersion = Math.max(this.lastVersion, dealt.snapshotVersion);
    this.worth.push({
      dealt: expected[dealt.armIndex]!,
      best: Math.max(...expected),
      random: expected.reduce((a, b) => a + b) / expected.length,
    });
    const ltv = this.world.observe(unit, dealt.armIndex, this.random);
    if (this.random.next() >= NEVER_SHARE) this.plan(unit.unitId as UnitId, dealt, ltv);
  }

  /** What will be reported of a user: proxies, perhaps twice, perhaps a refund; and now and then something broken. */
  private plan(
    unitId: UnitId,
    dealt: { readonly decisionId: string; readonly decidedAtMs: number },
    ltv: number,
  ): void {
    const { random } = this;
    const reward = (revision: number, day: number, value: number): Due => ({
      atMs: dealt.decidedAtMs + day * DAY_MS,
      reward: {
        rewardId: `${dealt.decisionId}/ltv` as RewardId,
        revision,
        unitId,
        metric: 'ltv',
        value,
        occurredAtMs: Math.floor(dealt.decidedAtMs + day * DAY_MS),
        decisionId: revision % 2 === 0 ? (dealt.decisionId as DecisionId) : null,
        experimentId: null,
        armId: null,
      },
    });
    const reports = ltvReports(ltv, random).map(({ revision, day, value }) => reward(revision, day, value));
    this.due.push(...reports);
    for (const report of reports) if (random.next() < REPEATED_SHARE) this.due.push(report);
    if (random.next() < REFUNDED_SHARE) this.due.push(reward(reports.length, 30.5, ltv / 2));
    if (random.next() < STRANGER_SHARE) this.due.push(stranger(reward(0, 1, ltv)));
    if (random.next() < MALFORMED_SHARE) this.due.push({ atMs: dealt.decidedAtMs, malformedKey: unitId });
  }

  private async sendDue(): Promise<void> {
    const nowMs = Date.now();
    const ready = this.due.filter(({ atMs }) => atMs <= nowMs);
    this.due = this.due.filter(({ atMs }) => atMs > nowMs);
    const byPartition = Map.groupBy(
      ready.map((one) => this.record(one)),
      ({ key }) => partitionOf(key, this.options.partitions),
    );
    await Promise.all([...byPartition].map(([partition, records]) => this.send(partition, records)));
    this.rewardsSent += ready.length;
  }

  private async send(partition: number, records: readonly (AppendRecord & { key: string })[]): Promise<void> {
    const sentAtMs = Date.now();
    const first = await this.writer.append({ topic: this.options.topics.rewards, partition }, records);
    this.options.onReward({ partition, offset: first + records.length - 1, sentAtMs });
  }

  private record(due: Due): AppendRecord & { key: string } {
    if ('malformedKey' in due) return { key: due.malformedKey, value: Buffer.from('neither Avro nor JSON') };
    return { key: due.reward.unitId, value: this.options.codecs.reward.encode(due.reward) };
  }
}

/** A reward of somebody who was never dealt anything. */
function stranger(due: Due): Due {
  if (!('reward' in due)) return due;
  const unitId = `stranger-of-${due.reward.unitId}` as UnitId;
  return { ...due, reward: { ...due.reward, unitId, rewardId: `${unitId}/ltv` as RewardId, decisionId: null } };
}

function total(worth: readonly { dealt: number; best: number; random: number }[]): LiveResult['expected'] {
  return worth.reduce(
    (sum, one) => ({ dealt: sum.dealt + one.dealt, best: sum.best + one.best, random: sum.random + one.random }),
    { dealt: 0, best: 0, random: 0 },
  );
}
