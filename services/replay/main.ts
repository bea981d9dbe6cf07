#!/usr/bin/env node
/**
 * `croupier replay`, and each of its threads: chooses Kafka, the schema registry and stores of segments.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { isMainThread, workerData } from 'node:worker_threads';
import { Command } from 'commander';
import { type Codecs, createCodecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { CroupierError, Invalid, rethrow } from '../core/errors.ts';
import { optionsFor } from '../platform/config.ts';
import { kafkaOptions, registryOptions, topicsOf } from '../platform/connection-config.ts';
import { KafkaLog } from '../platform/kafka/log.ts';
import { endWhenUnread } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logging.ts';
import { type Progress, startProgress } from '../platform/progress.ts';
import { registerAll } from '../platform/registry/register.ts';
import { openRegistrySource } from '../platform/registry/source.ts';
import { openSegmentStore } from '../platform/store/segments/store.ts';
import { runCommand } from './command.ts';
import { REPLAY_CONFIG, type ReplayValues } from './config.ts';
import { COMMIT_RECORDS, type PartitionProgress, type PartitionReplayed, replayPartition } from './partition.ts';
import type { ReplayPlan } from './plan.ts';
import { answerPartitions, ReplayPool } from './pool.ts';
import { describePromoted, PROMOTE_HELP, runPromotion } from './promote-command.ts';
import { describe } from './report.ts';
import { runWhatIf, textOf } from './what-if-command.ts';
import { describeWhatIf, WHAT_IF_HELP } from './what-if-report.ts';

const STORE_BYTES = 64_000_000;

interface PlainFlags extends Readonly<Record<string, unknown>> {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly restart: boolean;
}

/** What a thread is given. */
interface ThreadData {
  readonly values: ReplayValues;
  readonly plan: ReplayPlan;
  readonly storeFolders: readonly string[];
}

if (isMainThread) await main();
else thread(workerData as ThreadData);

async function main(): Promise<void> {
  const command = new Command('croupier replay')
    .description('Learns the log again, from nothing but the log, and compares every digest with the live snapshot.')
    .addHelpText(
      'after',
      '\nWhat was refused live is refused again and counted; dead letters are not written again.' +
        `\n${WHAT_IF_HELP}\n${PROMOTE_HELP}\n` +
        '\nExit codes: 0 well, 1 a digest differs or the replay failed.',
    )
    .helpOption('-h, --help', 'Show this help')
    .option('--restart', 'begin anew, where a replay of the same was ended half-way', false)
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
  endWhenUnread(process.stdout);
  await command.parseAsync();
}

async function run(values: ReplayValues, flags: PlainFlags): Promise<void> {
  const { json, restart } = flags;
  if (values.promote !== null) return runPromoted(values, values.promote, flags);
  if (values.whatIf !== null) return runJudged(values, values.whatIf, json);
  const { log, topics, codecs } = await connect(values, topicsOf(values, values.namespace));
  const into = values.into === null ? null : topicsOf(values, values.into);
  try {
    const outcome = await runCommand(
      values,
      {
        ...{ log, topics, codecs, into, parallel: values.parallel ?? availableParallelism() },
        intoCodecs: async () => {
          await registerAll(registryOptions(values), into!);
          return codecsOf(values, into!);
        },
        learners: (plan, storeFolder) => threadsFor(values, plan, storeFolder),
        startProgress: progressOf('replay'),
        tell: (line) => process.stderr.write(`replay: ${line}\n`),
      },
      restart,
    );
    const { verified, ...learned } = outcome;
    const asJson = () => `${JSON.stringify({ experiments: verified, ...learned }, null, 2)}\n`;
    process.stdout.write(json ? asJson() : describe(outcome));
    if (verified.some(({ verdict }) => verdict === 'differs')) process.exitCode = 1;
  } finally {
    await log.close();
  }
}

async function runPromoted(values: ReplayValues, file: string, { json, restart }: PlainFlags): Promise<void> {
  const forbidden = (['from', 'to', 'into', 'whatIf'] as const).find((name) => values[name] !== null);
  if (forbidden !== undefined) throw new Invalid('config', `--promote with ${forbidden}: allowed is one of the two`);
  const source = await connect(values, topicsOf(values, values.namespace));
  try {
    const text = await readFileAt(file);
    const promoted = await runPromotion(
      values,
      { file, text, restart },
      {
        ...source,
        parallel: values.parallel ?? availableParallelism(),
        learners: (plan, storeFolder) => threadsFor(values, plan, storeFolder),
        startProgress: progressOf('promote'),
        tell: (line) => process.stderr.write(`promote: ${line}\n`),
      },
    );
    process.stdout.write(json ? `${JSON.stringify(promoted, null, 2)}\n` : describePromoted(promoted));
  } finally {
    await source.log.close();
  }
}

function threadsFor(values: ReplayValues, plan: ReplayPlan, storeFolder: (partition: number) => string): ReplayPool {
  const storeFolders = [...plan.partitions.keys()].map(storeFolder);
  return new ReplayPool(new URL(import.meta.url), { values, plan, storeFolders } satisfies ThreadData);
}

function readFileAt(path: string): Promise<string> {
  return textOf(path, { readFile: (at) => readFile(at, 'utf8') });
}

async function runJudged(values: ReplayValues, file: string, json: boolean): Promise<void> {
  if (values.into !== null) throw new Invalid('config', '--into: a what-if writes nothing; allowed without --what-if');
  const source = await connect(values, topicsOf(values, values.namespace));
  try {
    const found = await runWhatIf(values, file, {
      ...source,
      readFile: (path) => readFile(path, 'utf8'),
      openStore: (folder) => openSegmentStore({ folder, cacheBytes: STORE_BYTES, onUnreadable: rethrow }),
      startProgress: progressOf('what-if'),
    });
    process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : describeWhatIf(found));
  } finally {
    await source.log.close();
  }
}

function progressOf(label: string): (total: number) => Progress {
  return (total) => startProgress({ label, total, unit: 'events', to: process.stderr });
}

/** One connection for all the partitions that it is given. */
function thread({ values, plan, storeFolders }: ThreadData): void {
  const connected = connect(values, topicsOf(values, values.namespace));
  answerPartitions(
    async (partition: number, onProgress: (progress: PartitionProgress) => void): Promise<PartitionReplayed> => {
      const source = await connected;
      const store = await openSegmentStore({
        folder: storeFolders[partition]!,
        cacheBytes: STORE_BYTES,
        // Emptied, it is filled again from the beginning.
        onUnreadable: () => {},
      });
      const options = { ...source, pollRecordsMax: values.pollRecordsMax, commitRecords: COMMIT_RECORDS };
      return replayPartition(options, plan, partition, store, onProgress);
    },
  );
}

async function connect(
  values: ReplayValues,
  topics: TopicNames,
): Promise<{ log: KafkaLog; topics: TopicNames; codecs: Codecs }> {
  const logger = createLogger({ name: 'replay', level: values.logLevel });
  const log = new KafkaLog(kafkaOptions(values, { clientId: 'croupier-replay', logger }));
  try {
    return { log, topics, codecs: await codecsOf(values, topics) };
  } catch (error) {
    await log.close();
    throw error;
  }
}

async function codecsOf(values: ReplayValues, topics: TopicNames): Promise<Codecs> {
  return createCodecs(await openRegistrySource(registryOptions(values), topics), topics);
}
