#!/usr/bin/env node
/**
 * The decider as a process: chooses Kafka, the schema registry, and Redis and a folder as mirrors.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { createCodecs, type SchemaSource } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { CroupierError, Unavailable } from '../core/errors.ts';
import { optionsFor } from '../platform/config.ts';
import { kafkaOptions, registryOptions, topicsOf } from '../platform/connection-config.ts';
import { KafkaLog } from '../platform/kafka/log.ts';
import { Lifecycle } from '../platform/lifecycle.ts';
import { createLogger, type Logger } from '../platform/logging.ts';
import { createMetrics } from '../platform/metrics.ts';
import { DiskMirror } from '../platform/mirror/disk.ts';
import { Mirrors } from '../platform/mirror/mirrors.ts';
import type { Mirror } from '../platform/mirror/port.ts';
import { RedisMirror } from '../platform/mirror/redis.ts';
import { openSchemaSource } from '../platform/mirror/schemas.ts';
import { openRegistrySource } from '../platform/registry/source.ts';
import { DECIDER_CONFIG, type DeciderValues, deciderSettings } from './config.ts';
import { startDecider } from './start.ts';

const RANDOM_BYTES = 10;
const RETRY_DELAY_MS = 1_000;

const command = new Command('decider')
  .description(
    'Decides from the newest snapshots in memory, over gRPC and HTTP, and puts decisions and rewards on the log.',
  )
  .helpOption('-h, --help', 'Show this help');
optionsFor(command, DECIDER_CONFIG).action(async (flags: Record<string, unknown>) => {
  try {
    await run(DECIDER_CONFIG.parse({ env: process.env, flags }));
  } catch (error) {
    if (!(error instanceof CroupierError)) throw error;
    process.stderr.write(`decider: ${error.code}: ${error.message}\n`);
    process.exit(1);
  }
});
await command.parseAsync();

async function run(values: DeciderValues): Promise<void> {
  const logger = createLogger({ name: 'decider', level: values.logLevel });
  logger.info(DECIDER_CONFIG.redacted(values), 'starting');
  const settings = deciderSettings(values);
  const topics = topicsOf(values, values.namespace);
  const log = new KafkaLog(kafkaOptions(values, { clientId: 'croupier-decider', logger }));
  const lifecycle = new Lifecycle({ logger, stopMsMax: values.stopTimeout, process });
  lifecycle.started('log', () => log.close());
  const mirrors = openMirrors(values, logger);
  const schemas = await openSchemas(values, topics, mirrors, logger);
  const decider = await startDecider(
    {
      log,
      topics,
      schemas,
      codecs: createCodecs(schemas, topics),
      mirrors,
      clock: { nowMs: Date.now, monotonicMs: () => performance.now() },
      randomBytes: () => randomBytes(RANDOM_BYTES),
      metrics: createMetrics({ service: 'decider', process: true }),
      logger,
      failed: (error) => lifecycle.fail(error),
    },
    settings,
  );
  lifecycle.started('decider', async () => {
    await decider.stop();
    logger.info('stopped');
  });
  const { httpPort, grpcPort } = decider;
  logger.info({ host: settings.host, httpPort, grpcPort }, 'started');
}

function openMirrors({ redis, data, prefix, namespace, generation }: DeciderValues, logger: Logger): Mirrors {
  const mirrors: Mirror[] = [];
  // Snapshots of one generation say nothing of what another one counts.
  const nth = generation === 1 ? '' : `generation-${generation}.`;
  if (redis !== null) {
    mirrors.push(
      new RedisMirror({
        url: redis,
        prefix: `${prefix ?? ''}${namespace ?? ''}${nth}`,
        onUnavailable: (error) => logger.warn({ err: error }, 'redis does not answer'),
      }),
    );
  }
  if (data !== null) mirrors.push(new DiskMirror(join(data, nth)));
  return new Mirrors(mirrors, {
    unavailable: (mirror, error) => logger.warn({ err: error, mirror }, 'mirror unavailable, trying again'),
    damaged: (mirror, error) => logger.error({ err: error, mirror }, 'mirrored record left out'),
  });
}

/** Without schemas nothing can be read or written: waits until the registry or a mirror has them. */
async function openSchemas(
  values: DeciderValues,
  topics: TopicNames,
  mirrors: Mirrors,
  logger: Logger,
): Promise<SchemaSource> {
  const registry = registryOptions(values);
  for (;;) {
    try {
      return await openSchemaSource(() => openRegistrySource(registry, topics), topics, mirrors);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      logger.warn({ err: error }, 'neither the schema registry nor a mirror has the schemas, trying again');
      await delay(RETRY_DELAY_MS);
    }
  }
}
