#!/usr/bin/env node
/**
 * `croupier repartition`: gives Kafka's topics another number of partitions. Chooses Kafka, the schema registry and stores
 * of segments.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { createCodecs } from '../../contracts/codec.ts';
import type { TopicNames } from '../../contracts/keys.ts';
import { CroupierError, Invalid, rethrow } from '../../core/errors.ts';
import { optionsFor } from '../../platform/config.ts';
import { kafkaOptions, registryOptions, topicsOf } from '../../platform/connection-config.ts';
import { readExperiments } from '../../platform/experiments-view.ts';
import { joinLimits } from '../../platform/join/limits-config.ts';
import { KafkaLog } from '../../platform/kafka/log.ts';
import { endWhenUnread } from '../../platform/lifecycle.ts';
import type { Log } from '../../platform/log/port.ts';
import { createLogger } from '../../platform/logging.ts';
import { type Progress, startProgress } from '../../platform/progress.ts';
import { registerAll, standings } from '../../platform/registry/register.ts';
import { openRegistrySource } from '../../platform/registry/source.ts';
import { openSegmentStore } from '../../platform/store/segments/store.ts';
import { renderTable } from '../../platform/table.ts';
import { createTopics, loadTopicSpecs } from '../../platform/topics.ts';
import { REPARTITION_CONFIG, type RepartitionValues } from './config.ts';
import { type Generation, type Plan, planRepartition, type Repartitioned, repartition } from './repartition.ts';

const STORE_BYTES = 64_000_000;
const POLL_INTERVAL_MS = 500;
const CHUNK_RECORDS = 10_000;

interface PlainFlags extends Readonly<Record<string, unknown>> {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly follow: boolean;
  readonly dryRun: boolean;
}

const command = new Command('croupier repartition')
  .description(
    'Makes topics with another number of partitions, copies into them what can still be reached, and begins them with what\n' +
      'was learned. Old and new work side by side meanwhile. Run it again to copy what has come since, or after an end half-way.',
  )
  .addHelpText('after', '\nExit codes: 0 well, 1 refused or failed. README.md tells the whole procedure.')
  .helpOption('-h, --help', 'Show this help')
  .option('--follow', 'go on copying, while services move over', false)
  .option('--dry-run', 'tell what there is to do, change nothing', false)
  .option('--json', 'print JSON instead of a table', false)
  .option('--verbose', 'show where an error came from', false);
optionsFor(command, REPARTITION_CONFIG).action(async (flags: PlainFlags) => {
  try {
    await run(REPARTITION_CONFIG.parse({ env: process.env, flags }), flags);
  } catch (error) {
    if (!(error instanceof CroupierError) || flags.verbose) throw error;
    process.stderr.write(`repartition: ${error.code}: ${error.message}\n`);
    process.exitCode = 1;
  }
});
endWhenUnread(process.stdout);
await command.parseAsync();

async function run(values: RepartitionValues, flags: PlainFlags): Promise<void> {
  const { partitions, holdBack: holdBackMs, data } = values;
  if (partitions === null)
    throw new Invalid('config', '--partitions: missing, allowed is a whole number from 1 to 10000');
  const logger = createLogger({ name: 'repartition', level: 'error' });
  const log = new KafkaLog(kafkaOptions(values, { clientId: 'croupier-repartition', logger }));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  await mkdir(data, { recursive: true });
  const folder = await mkdtemp(join(data, 'run-'));
  let progress: Progress | null = null;
  try {
    const registry = registryOptions(values);
    const generation = async (topics: TopicNames): Promise<Generation> => {
      return { topics, codecs: createCodecs(await openRegistrySource(registry, topics), topics) };
    };
    const source = await generation(topicsOf(values));
    const experiments = await readExperiments({ log, ...source });
    const told = { log, source, rules: { experiments, limits: joinLimits(values) }, nowMs: Date.now, holdBackMs };
    const plan = await planRepartition(told, partitions);
    const next = topicsOf({ ...values, generation: values.generation + 1 });
    if (flags.dryRun) return print(values, next, plan, null, flags);
    await prepare(log, source.topics, next, values);
    const startedMs = performance.now();
    progress = startProgress({ label: 'copy', total: plan.records, unit: 'events', to: process.stderr });
    let copied = 0;
    const done = await repartition(
      {
        ...told,
        target: await generation(next),
        openStore: (partition) =>
          openSegmentStore({ folder: join(folder, String(partition)), cacheBytes: STORE_BYTES, onUnreadable: rethrow }),
        quietMs: flags.follow ? values.quiet : null,
        pollIntervalMs: POLL_INTERVAL_MS,
        chunkRecords: CHUNK_RECORDS,
        stop: stop.signal,
        observer: {
          copied(records) {
            copied += records;
            progress?.update(Math.min(copied, plan.records));
          },
          learning: () => process.stderr.write('looking for what was learned before\n'),
          begun: () => process.stderr.write(`learners may begin: CROUPIER_GENERATION=${values.generation + 1}\n`),
          unavailable: ({ code, message }) => process.stderr.write(`${code}: ${message}; trying again\n`),
        },
      },
      plan,
    );
    progress.stop();
    print(values, next, plan, { ...done, seconds: (performance.now() - startedMs) / 1_000 }, flags);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.stderr.write('ended; run it again to go on\n');
  } finally {
    progress?.stop();
    await log.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Topics that keep events as long as those before, and schemas under the same ids, since the bytes are copied. */
async function prepare(log: Log, from: TopicNames, to: TopicNames, values: RepartitionValues): Promise<void> {
  const { partitions, replication } = values;
  const overrides = { inputPartitions: partitions!, ...(replication === null ? {} : { replication }) };
  const specs = await Promise.all(
    loadTopicSpecs(to, overrides).map(async (spec) => {
      const stream = (['decisions', 'rewards'] as const).find((name) => to[name] === spec.topic);
      const settings = stream === undefined ? null : await log.admin.describe(from[stream]);
      if (settings === null) return spec;
      const recordBytesMax = Math.max(settings.recordBytesMax, spec.recordBytesMax);
      return { ...spec, retentionMs: settings.retentionMs, recordBytesMax };
    }),
  );
  await createTopics(log.admin, specs);
  const registry = registryOptions(values);
  const before = await standings(registry, from);
  for (const [index, { subject, id }] of (await registerAll(registry, to)).entries()) {
    const old = before[index]!;
    if (old.id === id) continue;
    throw new Invalid(
      'schema-ids',
      `${subject} has schema id ${id}, ${old.subject} ${old.id}: copies could not be read`,
    );
  }
}

function print(
  { generation }: RepartitionValues,
  topics: TopicNames,
  { sourcePartitions, targetPartitions, isWhole, records }: Plan,
  done: (Repartitioned & { readonly seconds: number }) | null,
  { json, dryRun }: PlainFlags,
): void {
  const data = { generation: generation + 1, topics, sourcePartitions, targetPartitions, isWhole, records, ...done };
  if (json) {
    process.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
    return;
  }
  const began = isWhole ? 'nothing: the log has every event' : 'the sums learned so far';
  const rows = [
    ['partitions', `${sourcePartitions} → ${targetPartitions}`],
    ['topics', [topics.decisions, topics.rewards, topics.tallies, topics.snapshots, topics.deadLetters].join(', ')],
    ['they begin with', began],
    ['events to copy', records],
  ];
  if (done !== null) {
    const { copied, seconds, late } = done;
    rows.push(['copied', `${copied} in ${seconds.toFixed(1)} s, ${Math.round(copied / seconds)} a second`]);
    rows.push(['of them seen late', late]);
  }
  process.stdout.write(`${renderTable(['', ''], rows)}\n${dryRun ? 'nothing done: a dry run\n' : ''}`);
}
