#!/usr/bin/env node
/**
 * `croupier replay`: learns again from Kafka and compares the digests with the live ones. Chooses Kafka, the schema
 * registry and stores of segments.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { createCodecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { CroupierError, Invalid } from '../core/errors.ts';
import type { PerStream } from '../core/events.ts';
import { COUNT_NAMES, type Counts } from '../core/learning/counts.ts';
import { optionsFor } from '../platform/config.ts';
import { kafkaOptions, registryOptions, topicsOf } from '../platform/connection-config.ts';
import { joinLimits } from '../platform/join/limits-config.ts';
import { KafkaLog } from '../platform/kafka/log.ts';
import type { Log } from '../platform/log/port.ts';
import { createLogger } from '../platform/logging.ts';
import { type Progress, startProgress } from '../platform/progress.ts';
import { openRegistrySource } from '../platform/registry/source.ts';
import { openSegmentStore } from '../platform/store/segments/store.ts';
import { renderTable } from '../platform/table.ts';
import { REPLAY_CONFIG, type ReplayValues } from './config.ts';
import { inputsFrom, replay } from './replay.ts';
import { liveSnapshots, type Verified, verify } from './verify.ts';

const STORE_BYTES = 64_000_000;

interface PlainFlags extends Readonly<Record<string, unknown>> {
  readonly json: boolean;
  readonly verbose: boolean;
}

const command = new Command('replay')
  .description('Learns the log again, from nothing but the log, and compares every digest with the live snapshot.')
  .addHelpText('after', '\nExit codes: 0 well, 1 a digest differs or the replay failed.')
  .helpOption('-h, --help', 'Show this help')
  .option('--json', 'print JSON instead of tables', false)
  .option('--verbose', 'show where an error came from', false);
optionsFor(command, REPLAY_CONFIG).action(async (flags: PlainFlags) => {
  try {
    await run(REPLAY_CONFIG.parse({ env: process.env, flags }), flags);
  } catch (error) {
    if (!(error instanceof CroupierError) || flags.verbose) throw error;
    process.stderr.write(`replay: ${error.code}: ${error.message}\n`);
    process.exitCode = 1;
  }
});
await command.parseAsync();

async function run(values: ReplayValues, { json }: PlainFlags): Promise<void> {
  const logger = createLogger({ name: 'replay', level: values.logLevel });
  const topics = topicsOf(values, values.namespace);
  const log = new KafkaLog(kafkaOptions(values, { clientId: 'croupier-replay', logger }));
  await mkdir(values.data, { recursive: true });
  const folder = await mkdtemp(join(values.data, 'run-'));
  let progress: Progress | null = null;
  try {
    const codecs = createCodecs(await openRegistrySource(registryOptions(values), topics), topics);
    const prove = await liveSnapshots(log, topics, codecs);
    const from = await beginning(log, topics, values);
    const startedMs = performance.now();
    let events = 0;
    const { snapshots, counts } = await replay({
      log,
      topics,
      codecs,
      limits: joinLimits(values),
      pollRecordsMax: values.pollRecordsMax,
      openStore: async (partition) =>
        openSegmentStore({
          folder: join(folder, String(partition)),
          cacheBytes: STORE_BYTES,
          onUnreadable: rethrow,
        }),
      from,
      prove,
      onProgress(done, total) {
        progress ??= startProgress({ label: 'replay', total, unit: 'events', to: process.stderr });
        progress.update(done);
        events = done;
      },
    });
    const verified = verify(snapshots, prove, await fromStart(log, topics, from));
    stopProgress(progress);
    print({ verified, counts, events, seconds: (performance.now() - startedMs) / 1_000 }, json);
    if (verified.some(({ verdict }) => verdict === 'differs')) process.exitCode = 1;
  } finally {
    stopProgress(progress);
    await log.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function rethrow(error: Error): never {
  throw error;
}

/** What TypeScript cannot see: callbacks set it. */
function stopProgress(progress: Progress | null): void {
  progress?.stop();
}

async function beginning(log: Log, topics: TopicNames, { fromTime, fromOffset }: ReplayValues): Promise<PerStream[]> {
  if (fromTime === null) {
    const { length } = await log.admin.offsets(topics.decisions);
    return Array.from({ length }, () => ({ decisions: fromOffset, rewards: fromOffset }));
  }
  const timeMs = Date.parse(fromTime);
  if (Number.isFinite(timeMs)) return inputsFrom(log, topics, timeMs);
  throw new Invalid(
    'config',
    `--from-time: ${JSON.stringify(fromTime)}, allowed is a time such as 2026-11-01T00:00:00Z`,
  );
}

/** Whether the replay began where the inputs began, and nothing of them has run out of retention. */
async function fromStart(log: Log, topics: TopicNames, from: readonly PerStream[]): Promise<boolean> {
  const starts = [...(await log.admin.offsets(topics.decisions)), ...(await log.admin.offsets(topics.rewards))];
  return from.every(({ decisions, rewards }) => decisions + rewards === 0) && starts.every(({ start }) => start === 0);
}

interface Outcome {
  readonly verified: readonly Verified[];
  readonly counts: Counts;
  readonly events: number;
  readonly seconds: number;
}

function print({ verified, counts, events, seconds }: Outcome, asJson: boolean): void {
  if (asJson) {
    process.stdout.write(`${JSON.stringify({ experiments: verified, counts, events, seconds }, null, 2)}\n`);
    return;
  }
  const rows = verified.map(({ experimentId, version, digest, liveDigest, verdict }) => [
    experimentId,
    version,
    digest,
    liveDigest ?? '-',
    verdict,
  ]);
  const books = renderTable(
    ['events', 'count'],
    COUNT_NAMES.map((name) => [name, counts[name]]),
  );
  process.stdout.write(
    `${renderTable(['experiment', 'version', 'digest', 'live digest', 'verdict'], rows)}\n${books}\n`,
  );
  process.stdout.write(`${events} events in ${seconds.toFixed(1)} s, ${Math.round(events / seconds)} a second\n`);
}
