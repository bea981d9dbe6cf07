/**
 * Watches what learners publish, as a decider would: how far they have come, which snapshots there are and how fresh.
 */
import type { Codecs } from '../../services/contracts/codec.ts';
import type { TopicNames } from '../../services/contracts/keys.ts';
import type { ParametersSnapshot } from '../../services/core/deciding/snapshot.ts';
import type { ExperimentId, PerStream } from '../../services/core/events.ts';
import { addCounts, type Counts, zeroCounts } from '../../services/core/learning/counts.ts';
import { type ProgressTally, reflectedBy } from '../../services/core/learning/tally.ts';
import { TopicFollower } from '../../services/platform/log/follower.ts';
import type { Log } from '../../services/platform/log/port.ts';

interface Condition {
  isMet(): boolean;
  resolve(): void;
}

interface Sent {
  readonly partition: number;
  readonly offset: number;
  readonly sentAtMs: number;
}

export class Watch {
  readonly snapshots = new Map<ExperimentId, ParametersSnapshot>();
  /** Snapshots read of each experiment, repeated ones included. */
  readonly seen = new Map<ExperimentId, number>();
  /** From sending a reward to holding a snapshot that reflects it. */
  readonly freshnessMs: number[] = [];
  private readonly progress = new Map<number, ProgressTally>();
  private readonly followers: readonly TopicFollower[];
  private readonly conditions = new Set<Condition>();
  private sent: Sent[] = [];
  private measuring = true;
  private readonly codecs: Codecs;

  constructor(log: Log, topics: TopicNames, codecs: Codecs) {
    this.codecs = codecs;
    const follow = (topic: string, read: (value: Buffer) => void, codec: Codecs['tally'] | Codecs['snapshot']) =>
      new TopicFollower({
        log,
        topic,
        onBatch: async ({ records }) => {
          await codec.prepare(records.map(({ value }) => value));
          for (const { value } of records) if (value !== null) read(value);
          this.check();
        },
        onUnavailable: () => {},
      });
    this.followers = [
      follow(topics.tallies, (value) => this.readTally(value), codecs.tally),
      follow(topics.snapshots, (value) => this.readSnapshot(value), codecs.snapshot),
    ];
  }

  async start(): Promise<void> {
    await Promise.all(this.followers.map((follower) => follower.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.followers.map((follower) => follower.stop()));
  }

  /** Measures how long it takes until a snapshot of the experiment reflects the reward. */
  awaitReward(sent: Sent): void {
    if (this.measuring) this.sent.push(sent);
  }

  /** Freshness is told of a learner that lives; how long a dead one takes to come back is a figure of its own. */
  measureFreshness(measuring: boolean): void {
    this.measuring = measuring;
    this.sent = [];
  }

  /** Resolves when every partition has been learned up to its end. */
  learned(ends: readonly PerStream[]): Promise<void> {
    return this.until(() =>
      ends.every((end, partition) => {
        const offsets = this.progress.get(partition)?.offsets;
        return end.decisions + end.rewards === 0 || (offsets !== undefined && reflectedBy(end, offsets));
      }),
    );
  }

  until(isMet: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.conditions.add({ isMet, resolve });
      this.check();
    });
  }

  counts(): Counts {
    const counts = zeroCounts();
    for (const progress of this.progress.values()) addCounts(counts, progress.counts);
    return counts;
  }

  private readTally(value: Buffer): void {
    const tally = this.codecs.tally.decode(value);
    if (tally.kind === 'progress') this.progress.set(tally.partition, tally);
  }

  private readSnapshot(value: Buffer): void {
    const snapshot = this.codecs.snapshot.decode(value);
    this.snapshots.set(snapshot.experimentId, snapshot);
    this.seen.set(snapshot.experimentId, (this.seen.get(snapshot.experimentId) ?? 0) + 1);
    const reflected = new Map(snapshot.offsets.map(({ partition, rewards }) => [partition, rewards]));
    const nowMs = Date.now();
    this.sent = this.sent.filter(({ partition, offset, sentAtMs }) => {
      if ((reflected.get(partition) ?? 0) <= offset) return true;
      this.freshnessMs.push(nowMs - sentAtMs);
      return false;
    });
  }

  private check(): void {
    for (const condition of this.conditions) {
      if (!condition.isMet()) continue;
      this.conditions.delete(condition);
      condition.resolve();
    }
  }
}
