/**
 * The stage in this process: the embedded log in memory, join stores on disk. Learners die by being cut off.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Codecs, createCodecs } from '../../services/contracts/codec.ts';
import type { TopicNames } from '../../services/contracts/keys.ts';
import { Fenced, rethrow } from '../../services/core/errors.ts';
import { DEFAULT_SETTINGS, type RunningDecider, startDecider } from '../../services/decider/start.ts';
import { type Learner, startLearner } from '../../services/learner/learner.ts';
import { learnerTelemetry } from '../../services/learner/telemetry.ts';
import { EmbeddedLog } from '../../services/platform/embedded/log.ts';
import { embeddedSchemaSource } from '../../services/platform/embedded/schema-source.ts';
import { severable } from '../../services/platform/embedded/severable.ts';
import { createLogger, type Logger } from '../../services/platform/logging.ts';
import { createMetrics } from '../../services/platform/metrics.ts';
import { Mirrors } from '../../services/platform/mirror/mirrors.ts';
import { openSegmentStore } from '../../services/platform/store/segments/store.ts';
import { createTopics, loadTopicSpecs } from '../../services/platform/topics.ts';
import { DEMO_LIMITS, LEARNERS, type LearnerName, type RunningLearner, type Stage, topicsOf } from './stage.ts';

const STORE_CACHE_BYTES = 8_000_000;
const SETTINGS = {
  generation: 1,
  limits: DEMO_LIMITS,
  sessionTimeoutMs: 6_000,
  commitIntervalMs: 200,
  publishEventsMin: 0,
  publishWaitMsMax: 10_000,
  rollUpAgeMs: 90 * 86_400_000,
  publishIntervalMs: 100,
  pollRecordsMax: 5_000,
  reopenDelayMs: 1_000,
};

export async function openEmbeddedStage(options: {
  readonly partitions: number;
  readonly folder: string;
}): Promise<Stage> {
  const log = new EmbeddedLog({ folder: null, now: Date.now });
  for (const learner of LEARNERS) {
    await createTopics(log.admin, loadTopicSpecs(topicsOf('', learner), { inputPartitions: options.partitions }));
  }
  return new EmbeddedStage(log, options);
}

class EmbeddedStage implements Stage {
  readonly kind = 'embedded';
  readonly prefix = '';
  readonly log: EmbeddedLog;
  readonly partitions: number;
  private readonly folder: string;
  private readonly logger: Logger = createLogger({ name: 'demo', level: 'error' });
  private readonly learners = new Map<LearnerName, Learner>();
  private decider: RunningDecider | null = null;

  constructor(log: EmbeddedLog, { partitions, folder }: { readonly partitions: number; readonly folder: string }) {
    this.log = log;
    this.partitions = partitions;
    this.folder = folder;
  }

  codecs(topics: TopicNames): Codecs {
    return createCodecs(embeddedSchemaSource(topics), topics);
  }

  async startLearner(name: LearnerName, disk: 'kept' | 'empty'): Promise<RunningLearner> {
    const data = join(this.folder, `learner-${name}`);
    if (disk === 'empty') await rm(data, { recursive: true, force: true });
    await mkdir(data, { recursive: true });
    const topics = topicsOf(this.prefix, name);
    const cut = severable(this.log);
    const learner = await startLearner({
      log: cut.log,
      topics,
      codecs: this.codecs(topics),
      openStore: async (partition) =>
        cut.store(
          await openSegmentStore({
            folder: join(data, String(partition)),
            cacheBytes: STORE_CACHE_BYTES,
            onUnreadable: rethrow,
          }),
        ),
      nowMs: () => performance.now(),
      settings: { ...SETTINGS, groupId: name },
      observer: learnerTelemetry(createMetrics({ service: 'learner', process: false }), this.logger, {
        log: cut.log,
        topics,
        tasks: () => [],
        storeBytes: async () => 0,
        timeMs: Date.now,
        failed: (error) => {
          // Being cut off ends a killed learner, as it should.
          if (!(error instanceof Fenced)) throw error;
        },
      }),
    });
    this.learners.set(name, learner);
    return {
      kill: async () => {
        cut.sever();
        await learner.stop();
        this.learners.delete(name);
      },
    };
  }

  async startDecider(): Promise<string> {
    const topics = topicsOf(this.prefix, 'live');
    const schemas = embeddedSchemaSource(topics);
    this.decider = await startDecider(
      {
        log: this.log,
        topics,
        schemas,
        codecs: createCodecs(schemas, topics),
        mirrors: new Mirrors([], { unavailable: () => {}, damaged: () => {} }),
        clock: { nowMs: Date.now, monotonicMs: () => performance.now() },
        randomBytes: () => randomBytes(10),
        metrics: createMetrics({ service: 'decider', process: false }),
        logger: this.logger,
        failed: rethrow,
      },
      { ...DEFAULT_SETTINGS, httpPort: 0, grpcPort: 0 },
    );
    await this.decider.caughtUp;
    return `127.0.0.1:${this.decider.grpcPort}`;
  }

  async close(): Promise<void> {
    await this.decider?.stop();
    await Promise.all([...this.learners.values()].map((learner) => learner.stop()));
    await this.log.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
