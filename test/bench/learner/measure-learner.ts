/**
 * One run of the learner over prepared inputs, in a namespace of its own, from its first record to the publication that
 * reflects the last. Leaves the outputs' topics deleted.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Codecs, createCodecs } from '../../../services/contracts/codec.ts';
import { type TopicNames, topicNames } from '../../../services/contracts/keys.ts';
import { addCounts, type Counts, unaccounted, zeroCounts } from '../../../services/core/learning/counts.ts';
import { openRegistrySource } from '../../../services/platform/registry/source.ts';
import { eventCount, type Shape } from './events.ts';
import { type Cluster, prefixOf, prepareOutputs } from './inputs.ts';
import { LearnerProcess } from './learner-process.ts';
import type { Rate } from './rate.ts';

export interface LearnerRun extends Rate {
  readonly rssBytes: number;
  /** Mean time of a commit of one partition. */
  readonly commitMs: number;
}

export interface RunOptions {
  readonly variables: Readonly<Record<string, string>>;
  /** A folder of stores to go on from; a copy is used. */
  readonly stores?: string;
  /** Where to leave the stores. */
  readonly keepStores?: string;
  /** Of each process. */
  readonly threads: number;
  /** How many processes share the partitions. */
  readonly processes?: number;
  readonly nodeArgs?: readonly string[];
  /** Measure until so many events have been learned, of all that are in the inputs. */
  readonly until?: number;
}

const POLL_MS_MAX = 1_000;
const SILENT_POLLS_MAX = 15;

export async function measureLearner(cluster: Cluster, shape: Shape, options: RunOptions): Promise<LearnerRun> {
  const prefix = prefixOf(shape);
  const namespace = `run-${Date.now().toString(36)}.`;
  const topics = topicNames(prefix, namespace);
  await prepareOutputs(cluster, topics);
  const codecs = createCodecs(await openRegistrySource(cluster.registry, topics), topics);
  const folder = await mkdtemp(join(tmpdir(), 'croupier-bench-'));
  const count = options.processes ?? 1;
  const processes: LearnerProcess[] = [];
  try {
    for (let index = 0; index < count; index++) {
      const data = join(folder, String(index));
      if (options.stores !== undefined) await cp(options.stores, data, { recursive: true });
      processes.push(
        new LearnerProcess(
          {
            ...options.variables,
            CROUPIER_TOPIC_PREFIX: prefix,
            CROUPIER_NAMESPACE: namespace,
            CROUPIER_LEARNER_GROUP: `${prefix}${namespace}`,
            CROUPIER_LEARNER_DATA: data,
            CROUPIER_LEARNER_THREADS: String(options.threads),
          },
          options.nodeArgs ?? [],
        ),
      );
    }
    const run = await follow(cluster, topics, codecs, processes, options.until ?? eventCount(shape));
    for (const process of processes) await process.stop();
    if (options.keepStores !== undefined) await cp(join(folder, '0'), options.keepStores, { recursive: true });
    return run;
  } finally {
    for (const process of processes) await process.stop();
    await rm(folder, { recursive: true, force: true });
    await cluster.log.admin.deleteTopics([topics.tallies, topics.snapshots, topics.deadLetters]);
  }
}

async function follow(
  { log }: Cluster,
  topics: TopicNames,
  codecs: Codecs,
  processes: readonly LearnerProcess[],
  total: number,
): Promise<LearnerRun> {
  const reader = log.reader();
  const { length } = await log.admin.offsets(topics.tallies);
  reader.assign(Array.from({ length }, (_, partition) => ({ topic: topics.tallies, partition, offset: 0 })));
  const before = await Promise.all(processes.map((process) => process.opened));
  const books = new Map<number, Counts>();
  try {
    for (let silent = 0; silent < SILENT_POLLS_MAX; silent++) {
      for (const process of processes) process.assertRunning();
      for (const { records } of await reader.poll({ maxRecords: 10_000, waitMsMax: POLL_MS_MAX })) {
        silent = 0;
        for (const { key, value } of records) {
          if (value === null || !key!.startsWith('#progress/')) continue;
          const tally = codecs.tally.decode(value);
          if (tally.kind === 'progress') books.set(tally.partition, tally.counts);
        }
      }
      const sum = zeroCounts();
      for (const counts of books.values()) addCounts(sum, counts);
      const learned = sum.decisionsIn + sum.rewardsIn;
      if (learned < total) continue;
      if (unaccounted(sum, 'decisions') !== 0 || sum.decisionsDeadLettered + sum.rewardsDeadLettered > 0) {
        throw new Error(`the books do not add up: ${JSON.stringify(sum)}`);
      }
      const after = await Promise.all(processes.map((process) => process.usage()));
      const learnedNow = learned - processes.reduce((sum, { learnedBefore }) => sum + learnedBefore, 0);
      const beganMs = Math.min(...before.map(({ atMs }) => atMs));
      const cpuUs = after.reduce((all, { cpuUs: used }, at) => all + used - before[at]!.cpuUs, 0);
      return {
        events: learnedNow,
        eventsPerSecond: (learnedNow * 1_000) / (after[0]!.atMs - beganMs),
        cpuUsPerEvent: cpuUs / learnedNow,
        rssBytes: after.reduce((all, { rssBytes }) => all + rssBytes, 0),
        commitMs: (await Promise.all(processes.map((process) => process.commitMs()))).reduce((a, b) => Math.max(a, b)),
      };
    }
  } finally {
    await reader.close();
  }
  throw new Error(`the learner has been silent for ${SILENT_POLLS_MAX} s, its books: ${JSON.stringify([...books])}`);
}
