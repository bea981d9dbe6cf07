#!/usr/bin/env node
/**
 * The learner as a process: chooses Kafka, the schema registry and stores of segments.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { createCodecs } from '../contracts/codec.ts';
import { CroupierError } from '../core/errors.ts';
import { optionsFor } from '../platform/config.ts';
import { kafkaOptions, registryOptions, topicsOf } from '../platform/connection-config.ts';
import { joinLimits } from '../platform/join/limits-config.ts';
import { KafkaLog } from '../platform/kafka/log.ts';
import { Lifecycle } from '../platform/lifecycle.ts';
import { createLogger, type Logger } from '../platform/logging.ts';
import { createMetrics } from '../platform/metrics.ts';
import { openRegistrySource } from '../platform/registry/source.ts';
import { openSegmentStore } from '../platform/store/segments/store.ts';
import { startAdminServer } from './admin-server.ts';
import { LEARNER_CONFIG, type LearnerValues } from './config.ts';
import { type Learner, startLearner } from './learner.ts';
import { learnerTelemetry } from './telemetry.ts';

const REOPEN_DELAY_MS = 1_000;

const command = new Command('learner')
  .description('Joins decisions with their rewards, keeps exact sums and publishes snapshots.')
  .helpOption('-h, --help', 'Show this help');
optionsFor(command, LEARNER_CONFIG).action(async (flags: Record<string, unknown>) => {
  try {
    await run(LEARNER_CONFIG.parse({ env: process.env, flags }));
  } catch (error) {
    if (!(error instanceof CroupierError)) throw error;
    process.stderr.write(`learner: ${error.code}: ${error.message}\n`);
    process.exit(1);
  }
});
await command.parseAsync();

async function run(values: LearnerValues): Promise<void> {
  const logger = createLogger({ name: 'learner', level: values.logLevel });
  logger.info(LEARNER_CONFIG.redacted(values), 'starting');
  const topics = topicsOf(values, values.namespace);
  const log = new KafkaLog(kafkaOptions(values, { clientId: 'croupier-learner', logger }));
  const lifecycle = new Lifecycle({ logger, stopMsMax: values.stopTimeout, process });
  lifecycle.started('log', () => log.close());
  const codecs = createCodecs(await openRegistrySource(registryOptions(values), topics), topics);
  const metrics = createMetrics({ service: 'learner', process: true });
  if (values.ephemeral) await rm(values.data, { recursive: true, force: true });
  await mkdir(values.data, { recursive: true });
  const storeFolder = (partition: number): string => join(values.data, `${topics.decisions}-${partition}`);
  let learner: Learner | null = null;
  const admin = await startAdminServer({
    host: values.host,
    port: values.port,
    metrics,
    notReady: () => (learner === null ? 'starting' : learner.notReady()),
    nowMs: Date.now,
  });
  lifecycle.started('admin server', () => admin.close());
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
  logger.info({ port: admin.port }, 'started');
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
