/**
 * Learners over prepared inputs, in a namespace of their own: its output topics, its folder of stores, and what the learners
 * publish of their progress. Owns all of these until it is closed.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Codecs, createCodecs } from '../../../services/contracts/codec.ts';
import { type TopicNames, topicNames } from '../../../services/contracts/keys.ts';
import { addCounts, type Counts, unaccounted, zeroCounts } from '../../../services/core/learning/counts.ts';
import type { LogReader } from '../../../services/platform/log/port.ts';
import { openRegistrySource } from '../../../services/platform/registry/source.ts';
import type { Shape } from './events.ts';
import { type Cluster, prefixOf, prepareOutputs } from './inputs.ts';
import { LearnerProcess } from './learner-process.ts';

const POLL_MS_MAX = 1_000;
const SILENT_POLLS_MAX = 60;

export interface LearnerOptions {
  readonly threads: number;
  /** Name of its folder of stores within the trial. */
  readonly data: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

export class Trial {
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  private readonly cluster: Cluster;
  private readonly variables: Readonly<Record<string, string>>;
  private readonly folder: string;
  private readonly reader: LogReader;
  private readonly learners: LearnerProcess[] = [];
  private readonly books = new Map<number, Counts>();

  /** @param variables of every learner. */
  static async open(cluster: Cluster, shape: Shape, variables: Readonly<Record<string, string>>): Promise<Trial> {
    const prefix = prefixOf(shape);
    const namespace = `run-${Date.now().toString(36)}.`;
    const topics = topicNames(prefix, namespace);
    await prepareOutputs(cluster, topics);
    const codecs = createCodecs(await openRegistrySource(cluster.registry, topics), topics);
    const reader = cluster.log.reader();
    const { length } = await cluster.log.admin.offsets(topics.tallies);
    reader.assign(Array.from({ length }, (_, partition) => ({ topic: topics.tallies, partition, offset: 0 })));
    const named = {
      ...variables,
      CROUPIER_TOPIC_PREFIX: prefix,
      CROUPIER_NAMESPACE: namespace,
      CROUPIER_LEARNER_GROUP: `${prefix}${namespace}`,
    };
    const folder = await mkdtemp(join(tmpdir(), 'croupier-bench-'));
    return new Trial({ cluster, topics, codecs, reader, folder, variables: named });
  }

  private constructor(parts: {
    readonly cluster: Cluster;
    readonly topics: TopicNames;
    readonly codecs: Codecs;
    readonly reader: LogReader;
    readonly folder: string;
    readonly variables: Readonly<Record<string, string>>;
  }) {
    this.cluster = parts.cluster;
    this.topics = parts.topics;
    this.codecs = parts.codecs;
    this.reader = parts.reader;
    this.folder = parts.folder;
    this.variables = parts.variables;
  }

  start({ threads, data, variables, nodeArgs }: LearnerOptions): LearnerProcess {
    const learner = new LearnerProcess(
      {
        ...this.variables,
        ...variables,
        CROUPIER_LEARNER_DATA: join(this.folder, data),
        CROUPIER_LEARNER_THREADS: String(threads),
      },
      nodeArgs ?? [],
    );
    this.learners.push(learner);
    return learner;
  }

  /** @returns the events learned, once they are so many. @throws Error when the books do not add up, or nothing comes. */
  async learned(total: number): Promise<number> {
    for (let silent = 0; silent < SILENT_POLLS_MAX; silent++) {
      const sum = zeroCounts();
      for (const counts of this.books.values()) addCounts(sum, counts);
      const learned = sum.decisionsIn + sum.rewardsIn;
      if (learned >= total) {
        if (unaccounted(sum, 'decisions') === 0 && sum.decisionsDeadLettered + sum.rewardsDeadLettered === 0)
          return learned;
        throw new Error(`the books do not add up: ${JSON.stringify(sum)}`);
      }
      if (await this.readProgress()) silent = 0;
    }
    throw new Error(
      `the learner has been silent for ${SILENT_POLLS_MAX} s, its books: ${JSON.stringify([...this.books])}`,
    );
  }

  private async readProgress(): Promise<boolean> {
    let isNew = false;
    for (const { records } of await this.reader.poll({ maxRecords: 10_000, waitMsMax: POLL_MS_MAX })) {
      for (const { key, value } of records) {
        if (value === null || !key!.startsWith('#progress/')) continue;
        const tally = this.codecs.tally.decode(value);
        if (tally.kind !== 'progress') continue;
        this.books.set(tally.partition, tally.counts);
        isNew = true;
      }
    }
    return isNew;
  }

  async close(): Promise<void> {
    for (const learner of this.learners) await learner.stop();
    await this.reader.close();
    await rm(this.folder, { recursive: true, force: true });
    const { tallies, snapshots, deadLetters } = this.topics;
    await this.cluster.log.admin.deleteTopics([tallies, snapshots, deadLetters]);
  }
}
