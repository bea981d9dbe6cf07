/** Topics and offsets of the cluster. Owns one connection; remembers nothing else. */
import kafkajs, { type ITopicConfig } from 'kafkajs';
import { Invalid } from '../../core/errors.ts';
import type { LogAdmin, TopicSettings, TopicSpec } from '../log/port.ts';
import { Connection, EARLIEST, type KafkaOptions, LATEST, logCreator, type Session } from './connection.ts';
import { asCroupierError } from './errors.ts';

type KafkajsAdmin = ReturnType<InstanceType<typeof kafkajs.Kafka>['admin']>;

const TIMEOUT_MS = 15_000;

export class KafkaAdmin implements LogAdmin {
  readonly #options: KafkaOptions;
  readonly #connection: Connection;

  constructor(options: KafkaOptions) {
    this.#options = options;
    this.#connection = new Connection(options);
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    // A hasty look is enough here: to create what is there already does no harm, and the second look is patient.
    const missing = await this.#missing(specs, 1);
    if (missing.length === 0) return;
    const names = missing.map(({ topic }) => topic).join(', ');
    await this.#asAdmin(`create topics ${names}`, (admin) =>
      admin.createTopics({ topics: missing.map(topicConfig), timeout: TIMEOUT_MS, waitForLeaders: true }),
    );
    const stillMissing = await this.#missing(specs);
    if (stillMissing.length > 0) throw new Invalid('unknown-topic', `created ${names}, but the cluster denies it`);
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    await this.#asAdmin(`delete topics ${topics.join(', ')}`, (admin) =>
      admin.deleteTopics({ topics: [...topics], timeout: TIMEOUT_MS }),
    );
  }

  partitionCount(topic: string): Promise<number | null> {
    return this.#count(topic);
  }

  async describe(topic: string): Promise<TopicSettings | null> {
    const partitions = await this.partitionCount(topic);
    if (partitions === null) return null;
    let entries = new Map<string, string>();
    await this.#asAdmin(`describe ${topic}`, async (admin) => {
      const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }];
      const [answer] = (await admin.describeConfigs({ resources, includeSynonyms: false })).resources;
      entries = new Map(answer?.configEntries.map(({ configName, configValue }) => [configName, configValue]));
    });
    return { partitions, ...settingsOf(entries) };
  }

  async offsets(topic: string): Promise<readonly { readonly start: number; readonly end: number }[]> {
    return this.#ask(`find the offsets of ${topic}`, topic, async (session) => {
      const starts = await session.listOffsets(topic, EARLIEST);
      const ends = await session.listOffsets(topic, LATEST);
      return starts.map((start, partition) => ({ start, end: ends[partition]! }));
    });
  }

  async offsetsAt(topic: string, timeMs: number): Promise<readonly number[]> {
    return this.#ask(`find the offsets of ${topic} at ${timeMs}`, topic, async (session) => {
      const ends = await session.listOffsets(topic, LATEST);
      const found = await session.listOffsets(topic, timeMs);
      return found.map((offset, partition) => (offset >= 0 ? offset : ends[partition]!));
    });
  }

  close(): void {
    this.#connection.close();
  }

  /** Always with fresh leaders: admin calls are rare, and a topic may have been deleted since. */
  #ask<T>(what: string, topic: string, act: (session: Session) => Promise<T>): Promise<T> {
    return this.#connection.use(what, (session) => {
      session.forgetLeaders(topic);
      return act(session);
    });
  }

  async #count(topic: string, lookupsMax?: number): Promise<number | null> {
    try {
      const what = `count the partitions of ${topic}`;
      return await this.#ask(what, topic, async (session) => (await session.leaders(topic, lookupsMax)).length);
    } catch (error) {
      if (error instanceof Invalid && error.code === 'unknown-topic') return null;
      throw error;
    }
  }

  /** @throws Invalid `topic-mismatch`. */
  async #missing(specs: readonly TopicSpec[], lookupsMax?: number): Promise<TopicSpec[]> {
    const missing: TopicSpec[] = [];
    for (const spec of specs) {
      const count = await this.#count(spec.topic, lookupsMax);
      if (count === null) missing.push(spec);
      else if (count !== spec.partitions) {
        const wanted = `${spec.partitions} are wanted`;
        throw new Invalid('topic-mismatch', `topic "${spec.topic}" has ${count} partitions, ${wanted}`);
      }
    }
    return missing;
  }

  /** kafkajs's admin knows the controller and waits for leaders; one is made for each call and thrown away. */
  async #asAdmin(what: string, act: (admin: KafkajsAdmin) => Promise<unknown>): Promise<void> {
    const { brokers, clientId, ssl, sasl, logger } = this.#options;
    const client = new kafkajs.Kafka({
      brokers: [...brokers],
      clientId,
      ...(ssl === undefined ? {} : { ssl }),
      ...(sasl === undefined ? {} : { sasl }),
      connectionTimeout: 5_000,
      retry: { retries: 3, initialRetryTime: 100 },
      logCreator: logCreator(logger),
    });
    const admin = client.admin();
    try {
      await admin.connect();
      await act(admin);
    } catch (error) {
      throw asCroupierError(error, what);
    } finally {
      await admin.disconnect();
    }
  }
}

function topicConfig({
  topic,
  partitions,
  replication,
  cleanup,
  retentionMs,
  compactionLagMs,
  recordBytesMax,
}: TopicSpec): ITopicConfig {
  const entries = {
    'message.timestamp.type': 'LogAppendTime',
    'cleanup.policy': cleanup,
    'max.message.bytes': String(recordBytesMax),
    ...(cleanup === 'delete' ? { 'retention.ms': String(retentionMs ?? -1) } : {}),
    // Else a copy that is alone could acknowledge, and be lost.
    ...(replication === undefined ? {} : { 'min.insync.replicas': String(Math.max(1, replication - 1)) }),
    ...(compactionLagMs === undefined ? {} : { 'min.compaction.lag.ms': String(compactionLagMs) }),
  };
  const configEntries = Object.entries(entries).map(([name, value]) => ({ name, value }));
  const clusterDefault = -1;
  return { topic, numPartitions: partitions, replicationFactor: replication ?? clusterDefault, configEntries };
}

function settingsOf(entries: ReadonlyMap<string, string>): Omit<TopicSettings, 'partitions'> {
  const number = (name: string): number => Number(entries.get(name) ?? Number.NaN);
  const limit = (name: string): number | null => (number(name) < 0 ? null : number(name));
  return {
    isAppendTime: entries.get('message.timestamp.type') === 'LogAppendTime',
    cleanup: entries.get('cleanup.policy') ?? '',
    retentionMs: limit('retention.ms'),
    retentionBytes: limit('retention.bytes'),
    compactionLagMs: number('min.compaction.lag.ms'),
    recordBytesMax: number('max.message.bytes'),
  };
}
