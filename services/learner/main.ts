#!/usr/bin/env node
/**
 * The learner as a process: chooses Kafka, the schema registry and stores of segments, and runs as many learners as it is
 * told to have threads. With one it learns in the main thread; else each thread runs this file too, and the main thread
 * watches over them and answers for all of them.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Command } from 'commander';
import { createCodecs } from '../contracts/codec.ts';
import { CroupierError } from '../core/errors.ts';
import { optionsFor } from '../platform/config.ts';
import { kafkaOptions, registryOptions, topicsOf } from '../platform/connection-config.ts';
import { joinLimits } from '../platform/join/limits-config.ts';
import { KafkaLog } from '../platform/kafka/log.ts';
import { Lifecycle } from '../platform/lifecycle.ts';
import { createLogger, type Logger } from '../platform/logging.ts';
import { createMetrics, type Metrics, rendered } from '../platform/metrics.ts';
import { openRegistrySource } from '../platform/registry/source.ts';
import { openSegmentStore } from '../platform/store/segments/store.ts';
import { startAdminServer } from './admin-server.ts';
import { LEARNER_CONFIG, type LearnerValues } from './config.ts';
import { type Learner, startLearner } from './learner.ts';
import { learnerTelemetry } from './telemetry.ts';
import { answerMainThread, LearnerThreads } from './threads.ts';

const REOPEN_DELAY_MS = 1_000;
const SERVICE = 'learner';
/** Of a thread's heap. What was read and not yet learned fits, and need not be copied to where it is collected at length. */
const YOUNG_MB = 96;

interface ThreadData {
  readonly values: LearnerValues;
  readonly thread: number;
}

/** Where a learner runs: a process, or a thread of one. */
interface Host {
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
  readonly metrics: Metrics;
}

if (isMainThread) {
  const command = new Command('learner')
    .description('Joins decisions with their rewards, keeps exact sums and publishes snapshots.')
    .helpOption('-h, --help', 'Show this help');
  optionsFor(command, LEARNER_CONFIG).action(async (flags: Record<string, unknown>) => {
    try {
      await runProcess(LEARNER_CONFIG.parse({ env: process.env, flags }));
    } catch (error) {
      if (!(error instanceof CroupierError)) throw error;
      process.stderr.write(`learner: ${error.code}: ${error.message}\n`);
      process.exit(1);
    }
  });
  await command.parseAsync();
} else {
  await runThread(workerData as ThreadData);
}

async function runProcess(values: LearnerValues): Promise<void> {
  const logger = createLogger({ name: SERVICE, level: values.logLevel });
  logger.info(LEARNER_CONFIG.redacted(values), 'starting');
  const lifecycle = new Lifecycle({ logger, stopMsMax: values.stopTimeout, process });
  const metrics = createMetrics({ service: SERVICE, process: true });
  if (values.ephemeral) await rm(values.data, { recursive: true, force: true });
  await mkdir(values.data, { recursive: true });
  let learners: Pick<LearnerThreads, 'notReady' | 'metrics'> = {
    notReady: async () => 'starting',
    metrics: async () => [],
  };
  const admin = await startAdminServer({
    host: values.host,
    port: values.port,
    metrics: async () => rendered([await metrics.collect(), ...(await learners.metrics())]),
    notReady: () => learners.notReady(),
    nowMs: Date.now,
  });
  lifecycle.started('admin server', () => admin.close());
  if (values.threads === 1) {
    const learner = await learn(values, { logger, lifecycle, metrics });
    learners = { notReady: async () => learner.notReady(), metrics: async () => [] };
  } else {
    const threads = new LearnerThreads({
      count: values.threads,
      spawn: (thread) =>
        new Worker(new URL(import.meta.url), {
          workerData: { values, thread } satisfies ThreadData,
          resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
        }),
      failed: (error) => lifecycle.fail(error),
    });
    lifecycle.started('threads', () => threads.stop());
    learners = threads;
    await threads.started;
  }
  logger.info({ port: admin.port, threads: values.threads }, 'started');
}

/** Ends by itself when it cannot go on, and the process with it. */
async function runThread({ values, thread }: ThreadData): Promise<void> {
  const logger = createLogger({ name: SERVICE, level: values.logLevel }).child({ thread });
  const lifecycle = new Lifecycle({ logger, stopMsMax: values.stopTimeout, process });
  const metrics = createMetrics({ service: SERVICE, process: true, thread });
  let learner: Learner | null = null;
  const main = answerMainThread(parentPort!, {
    notReady: () => (learner === null ? 'starting' : learner.notReady()),
    metrics: () => metrics.collect(),
    stop: () => void lifecycle.stop(),
  });
  try {
    learner = await learn(values, { logger, lifecycle, metrics });
    main.started();
  } catch (error) {
    if (!(error instanceof CroupierError)) throw error;
    main.refused(error);
    process.exit(1);
  }
}

/** One learner, a member of its group by itself. */
async function learn(values: LearnerValues, { logger, lifecycle, metrics }: Host): Promise<Learner> {
  const topics = topicsOf(values, values.namespace);
  const log = new KafkaLog(kafkaOptions(values, { clientId: 'croupier-learner', logger }));
  lifecycle.started('log', () => log.close());
  const codecs = createCodecs(await openRegistrySource(registryOptions(values), topics), topics);
  const storeFolder = (partition: number): string => join(values.data, `${topics.decisions}-${partition}`);
  let learner: Learner | null = null;
  learner = await startLearner({
    log,
    topics,
    codecs,
    openStore: (partition) =>
      openSegmentStore({
        folder: storeFolder(partition),
        cacheBytes: values.storeCacheBytes,
        onUnreadable: (error) => logger.warn({ partition, err: error }, 'local store thrown away, rebuilding it'),
      }),
    nowMs: () => performance.now(),
    settings: {
      groupId: values.generation === 1 ? values.group : `${values.group}-${values.generation}`,
      generation: values.generation,
      limits: joinLimits(values),
      sessionTimeoutMs: values.sessionTimeout,
      commitIntervalMs: values.commitInterval,
      publishIntervalMs: values.publishInterval,
      publishEventsMin: values.publishEventsMin,
      publishWaitMsMax: values.publishWaitMax,
      rollUpAgeMs: values.rollUpAge,
      pollRecordsMax: values.pollRecordsMax,
      reopenDelayMs: REOPEN_DELAY_MS,
    },
    observer: learnerTelemetry(metrics, logger, {
      log,
      topics,
      tasks: () => learner?.tally.tasks() ?? [],
      storeBytes: (partition) => folderBytes(storeFolder(partition)),
      timeMs: Date.now,
      failed: (error) => lifecycle.fail(error),
    }),
  });
  lifecycle.started('learner', () => stopped(learner, logger));
  return learner;
}

async function folderBytes(folder: string): Promise<number> {
  const files = await readdir(folder);
  // Files come and go while the store compacts.
  const sizes = await Promise.all(
    files.map((file) =>
      stat(join(folder, file)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function stopped(learner: Learner | null, logger: Logger): Promise<void> {
  await learner?.stop();
  logger.info('stopped');
}
