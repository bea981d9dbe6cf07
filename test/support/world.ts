/**
 * A whole Croupier log for tests: topics, codecs, definitions, events, and learners that can be stopped or cut off.
 */
import { type Codecs, createCodecs } from '../../services/contracts/codec.ts';
import { type TopicNames, topicNames } from '../../services/contracts/keys.ts';
import type { ParametersSnapshot } from '../../services/core/deciding/snapshot.ts';
import { Fenced, rethrow } from '../../services/core/errors.ts';
import type { Decision, ExperimentId, PerStream, Reward } from '../../services/core/events.ts';
import type { Experiment } from '../../services/core/experiment.ts';
import type { JoinLimits } from '../../services/core/join/group.ts';
import { addCounts, type Counts, zeroCounts } from '../../services/core/learning/counts.ts';
import type { ProgressTally } from '../../services/core/learning/tally.ts';
import {
  type Learner,
  type LearnerObserver,
  type LearnerSettings,
  startLearner,
} from '../../services/learner/learner.ts';
import { EmbeddedLog } from '../../services/platform/embedded/log.ts';
import { embeddedSchemaSource } from '../../services/platform/embedded/schema-source.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import type { AppendRecord, Log, TopicSpec } from '../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../services/platform/log/read-to-end.ts';
import { readWholes } from '../../services/platform/log/read-wholes.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import type { Store } from '../../services/platform/store/port.ts';
import { type Replayed, replay, type Snapshots } from '../../services/replay/replay.ts';
import { LIMITS, T0 } from './core.ts';

export type Event =
  | { readonly decision: Decision }
  | { readonly reward: Reward }
  | { readonly bytes: Buffer; readonly key: string; readonly topic: 'decisions' | 'rewards' };

export const SETTINGS: LearnerSettings = {
  generation: 1,
  groupId: 'learners',
  limits: LIMITS,
  sessionTimeoutMs: 10_000,
  commitIntervalMs: 5,
  publishIntervalMs: 5,
  publishEventsMin: 0,
  publishWaitMsMax: 10_000,
  rollUpAgeMs: 90 * 86_400_000,
  pollRecordsMax: 50,
  reopenDelayMs: 1,
};

export interface WorldOptions {
  /** Whose log and clock it shares, as another generation of its topics. */
  readonly after?: World;
  readonly partitions?: number;
  readonly nowMs?: number;
  readonly limits?: JoinLimits;
  /** Largest append to an input topic. */
  readonly inputBytesMax?: number;
}

export class World {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  readonly limits: JoinLimits;
  readonly partitions: number;
  readonly generation: number;
  readonly clock: { nowMs: number };
  private readonly inputBytesMax: number;

  private constructor(log: Log, clock: { nowMs: number }, options: WorldOptions) {
    this.log = log;
    this.clock = clock;
    this.partitions = options.partitions ?? 2;
    this.limits = options.limits ?? LIMITS;
    this.inputBytesMax = options.inputBytesMax ?? 1_048_576;
    this.generation = (options.after?.generation ?? 0) + 1;
    this.topics = topicNames('', '', this.generation);
    this.codecs = createCodecs(embeddedSchemaSource(this.topics), this.topics);
  }

  /** @param options.nowMs the log's clock at first; move it with `clock.nowMs`. */
  static async create(options: WorldOptions = {}): Promise<World> {
    const clock = options.after?.clock ?? { nowMs: options.nowMs ?? T0 };
    const log = options.after?.log ?? new EmbeddedLog({ folder: null, now: () => clock.nowMs });
    const world = new World(log, clock, options);
    await world.createTopics();
    return world;
  }

  /** Creates those that are missing. */
  async createTopics(): Promise<void> {
    await this.log.admin.createTopics(topicSpecs(this.topics, this.partitions, this.inputBytesMax));
  }

  async define(...experiments: Experiment[]): Promise<void> {
    for (const experiment of experiments) {
      const value = this.codecs.experiment.encode({ ...experiment, appliedAtMs: experiment.appliedAtMs.slice(0, -1) });
      await this.append(this.topics.experiments, { key: experiment.id, value });
    }
  }

  async send(...events: Event[]): Promise<void> {
    for (const event of events) {
      if ('decision' in event) {
        const value = this.codecs.decision.encode(event.decision);
        await this.append(this.topics.decisions, { key: event.decision.unitId, value });
      } else if ('reward' in event) {
        await this.append(this.topics.rewards, {
          key: event.reward.unitId,
          value: this.codecs.reward.encode(event.reward),
        });
      } else await this.append(this.topics[event.topic], { key: event.key, value: event.bytes });
    }
  }

  /** @returns a learner on this log, perhaps through another view of it. */
  async learner(
    options: {
      log?: Log;
      codecs?: Codecs;
      openStore?: (partition: number) => Promise<Store>;
      settings?: Partial<LearnerSettings>;
      observer?: ObserverOverrides;
    } = {},
  ): Promise<Learner> {
    return startLearner({
      log: options.log ?? this.log,
      topics: this.topics,
      codecs: options.codecs ?? this.codecs,
      openStore: options.openStore ?? (async () => new MemoryStore()),
      nowMs: () => performance.now(),
      settings: { ...SETTINGS, ...this.identity(), limits: this.limits, ...options.settings },
      observer: observer(options.observer),
    });
  }

  private identity(): Pick<LearnerSettings, 'groupId' | 'generation'> {
    return { groupId: `learners-${this.generation}`, generation: this.generation };
  }

  /** Resolves when the published progress has reached the end of the inputs, or nobody waits for it any more. */
  async learned(givenUp: () => boolean = () => false): Promise<void> {
    while (!givenUp()) {
      const ends = await this.inputEnds();
      const progress = await this.progress();
      const done = ends.every(
        (end, partition) =>
          end.decisions + end.rewards === 0 ||
          (progress.get(partition)?.offsets.decisions === end.decisions &&
            progress.get(partition)?.offsets.rewards === end.rewards),
      );
      if (done) return;
      await new Promise(setImmediate);
    }
  }

  async progress(): Promise<Map<number, ProgressTally>> {
    const progress = new Map<number, ProgressTally>();
    for await (const { records } of readWholes(this.log, await startOf(this.log, this.topics.tallies))) {
      for (const { value } of records) {
        if (value === null) continue;
        const tally = this.codecs.tally.decode(value);
        if (tally.kind === 'progress') progress.set(tally.partition, tally);
      }
    }
    return progress;
  }

  async counts(): Promise<Counts> {
    const total = zeroCounts();
    for (const { counts } of (await this.progress()).values()) addCounts(total, counts);
    return total;
  }

  /** @returns every snapshot published of an experiment, in order. */
  async snapshots(experimentId: ExperimentId): Promise<ParametersSnapshot[]> {
    const snapshots: ParametersSnapshot[] = [];
    for await (const { records } of readWholes(this.log, await startOf(this.log, this.topics.snapshots))) {
      for (const { key, value } of records)
        if (key === experimentId) snapshots.push(this.codecs.snapshot.decode(value!));
    }
    return snapshots;
  }

  async deadLetters(): Promise<string[]> {
    const reasons: string[] = [];
    for await (const { records } of readToEnd(this.log, await startOf(this.log, this.topics.deadLetters))) {
      for (const { value } of records) reasons.push(this.codecs.deadLetter.decode(value!).reason);
    }
    return reasons;
  }

  async replay(prove: Snapshots = new Map()): Promise<Replayed> {
    return replay({
      log: this.log,
      topics: this.topics,
      codecs: this.codecs,
      limits: this.limits,
      pollRecordsMax: 1_000,
      openStore: async () => new MemoryStore(),
      prove,
    });
  }

  private async inputEnds(): Promise<PerStream[]> {
    const decisions = await this.log.admin.offsets(this.topics.decisions);
    const rewards = await this.log.admin.offsets(this.topics.rewards);
    return decisions.map(({ end }, partition) => ({ decisions: end, rewards: rewards[partition]!.end }));
  }

  /** @param partition where the record's key says, when left out. */
  async append(topic: string, record: AppendRecord, partition?: number): Promise<void> {
    const count = (await this.log.admin.partitionCount(topic))!;
    const writer = this.log.writer();
    await writer.append({ topic, partition: partition ?? partitionOf(record.key!, count) }, [record]);
    await writer.close();
  }
}

export function topicSpecs(
  topics: TopicNames,
  partitions: number,
  inputBytesMax: number,
  talliesPartitions = 2,
): TopicSpec[] {
  const spec = (
    topic: string,
    count: number,
    cleanup: 'compact' | 'delete',
    recordBytesMax = 4_194_304,
  ): TopicSpec => ({
    topic,
    partitions: count,
    cleanup,
    retentionMs: null,
    recordBytesMax,
  });
  return [
    spec(topics.experiments, 1, 'compact'),
    spec(topics.decisions, partitions, 'delete', inputBytesMax),
    spec(topics.rewards, partitions, 'delete', inputBytesMax),
    spec(topics.tallies, talliesPartitions, 'compact'),
    spec(topics.snapshots, 2, 'compact'),
    spec(topics.deadLetters, 1, 'delete', 1_048_576),
  ];
}

type ObserverOverrides = Partial<Omit<LearnerObserver, 'tally'>> & {
  readonly tally?: Partial<LearnerObserver['tally']>;
};

function observer({ tally, ...others }: ObserverOverrides = {}): LearnerObserver {
  const failing = failingObserver();
  return { ...failing, ...others, tally: { ...failing.tally, ...tally } };
}

function failingObserver(): LearnerObserver {
  const ignore = (): void => {};
  // Being cut off ends a learner, as it should.
  const failed = (error: unknown): void => {
    if (!(error instanceof Fenced)) rethrow(error);
  };
  return {
    tally: {
      folded: ignore,
      refused: ignore,
      committed: ignore,
      opened: ignore,
      lost: (_partition, error) => rethrow(error),
      fenced: ignore,
      failed,
    },
    publish: { published: ignore, refused: (_id, error) => rethrow(error), unavailable: rethrow },
    definitionRefused: rethrow,
    unavailable: rethrow,
    failed,
  };
}
