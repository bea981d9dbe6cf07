/**
 * A connection to the cluster, for one reader, writer, admin or membership: kafkajs's inner Cluster (sockets, TLS, SASL,
 * metadata, request encoding), without its producer and consumer, whose hazards we would otherwise have to tame.
 * Owns the sockets and the partition leaders it has looked up. After any failure other than a plain
 * refusal, the whole Cluster is discarded and the next use builds a new one: nothing half-broken is ever used again.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type KafkaConfig, type LogEntry, type Logger } from 'kafkajs';
import Cluster from 'kafkajs/src/cluster/index.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import defaultSocketFactory, { type SocketFactory } from 'kafkajs/src/network/socketFactory.js';
import type { Broker } from 'kafkajs-internals';
import { Invalid } from '../../core/errors.ts';
import type { TopicPartition } from '../log/port.ts';
import { asCroupierError, isStaleLeader, isStartingCoordinator } from './errors.ts';

/** What pino's logger offers. */
export interface KafkaLogger {
  warn(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}

export interface KafkaOptions {
  /** host:port, at least one. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl?: NonNullable<KafkaConfig['ssl']>;
  /** Plain, SCRAM or OAUTHBEARER, as kafkajs takes it. */
  readonly sasl?: NonNullable<KafkaConfig['sasl']>;
  readonly logger: KafkaLogger;
}

/** An answer later than this counts as lost. */
export const REQUEST_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 5_000;
const LOOKUPS_MAX = 5;
const LOOKUP_PAUSE_MS = 150;
const READ_COMMITTED = 1;
/** The kinds of coordinator; the second hands out producers' epochs. */
const GROUPS = 0;
const TRANSACTIONS = 1;
const COORDINATOR_ATTEMPTS_MAX = 100;
const RETRY = { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 };

/** For listOffsets, in place of a time. */
export const LATEST = -1;
export const EARLIEST = -2;

// In 2.2.4 this sets a timer after every answer, mostly with a negative delay, on which Node 24 prints a warning. It is
// only needed while requests wait, so that is when we set it.
RequestQueue.prototype.scheduleCheckPendingRequests = function scheduleCheckPendingRequests(this: RequestQueue): void {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
  const check = (): void => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  };
  this.throttleCheckTimeoutId = setTimeout(check, Math.max(this.throttledUntil - Date.now(), 10));
};

export class Connection {
  readonly #options: KafkaOptions;
  #session: Session | null = null;
  #closed = false;

  constructor(options: KafkaOptions) {
    this.#options = options;
  }

  /**
   * @param what names the act for error messages.
   * @throws Invalid, Unavailable.
   */
  async use<T>(what: string, act: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Invalid('closed', `could not ${what}: closed`);
    this.#session ??= new Session(this.#options);
    const session = this.#session;
    try {
      await session.connect();
      return await act(session);
    } catch (error) {
      const reason = asCroupierError(error, what);
      if (!(reason instanceof Invalid)) this.#discard(session);
      throw reason;
    }
  }

  /** Cuts the lines; whatever is still in flight fails as Unavailable. */
  close(): void {
    this.#closed = true;
    if (this.#session !== null) this.#discard(this.#session);
  }

  #discard(session: Session): void {
    if (this.#session === session) this.#session = null;
    session.destroy();
  }
}

/** A producer as brokers know it; of two epochs the larger counts. */
export interface Producer {
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** One Cluster from connect to the first failure. */
export class Session {
  readonly #cluster: Cluster;
  readonly #sockets = new Set<Socket>();
  readonly #leaders = new Map<string, Promise<readonly number[]>>();
  #metadataTurn: Promise<unknown> = Promise.resolve();
  #destroyed = false;

  constructor({ brokers, clientId, ssl, sasl, logger }: KafkaOptions) {
    this.#cluster = new Cluster({
      logger: kafkajsLogger(logger),
      socketFactory: this.#trackSockets(defaultSocketFactory()),
      brokers,
      clientId,
      ssl,
      sasl,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      enforceRequestTimeout: true,
      metadataMaxAge: 300_000,
      allowAutoTopicCreation: false,
      isolationLevel: READ_COMMITTED,
      retry: RETRY,
    });
  }

  connect(): Promise<void> {
    return this.#cluster.connect();
  }

  /**
   * Leader's node id by partition; remembered until `forgetLeaders`.
   * @param lookupsMax brokers hear of a new topic one after the other, so the first "unknown" need not be the truth.
   * @throws Invalid `unknown-topic`.
   */
  leaders(topic: string, lookupsMax = LOOKUPS_MAX): Promise<readonly number[]> {
    const known = this.#leaders.get(topic) ?? this.#inTurn(() => this.#lookUp(topic, lookupsMax));
    this.#leaders.set(topic, known);
    known.catch(() => this.#leaders.delete(topic));
    return known;
  }

  forgetLeaders(topic: string): void {
    this.#leaders.delete(topic);
  }

  /** @throws Invalid `unknown-topic`, `unknown-partition`. */
  async leaderOf({ topic, partition }: TopicPartition): Promise<number> {
    const leaders = await this.leaders(topic);
    const leader = leaders[partition];
    if (leader !== undefined) return leader;
    throw new Invalid(
      'unknown-partition',
      `topic "${topic}" has partitions 0 to ${leaders.length - 1}, not ${partition}`,
    );
  }

  broker(nodeId: number): Promise<Broker> {
    return this.#cluster.findBroker({ nodeId });
  }

  coordinator(groupId: string): Promise<Broker> {
    return this.#findCoordinator(groupId, GROUPS);
  }

  /** Begins the next epoch of a producer: partitions that hear of it refuse all earlier ones. */
  async beginProducer(name: string): Promise<Producer> {
    for (let attempts = 1; ; attempts++) {
      try {
        const coordinator = await this.#findCoordinator(name, TRANSACTIONS);
        return await coordinator.initProducerId({ transactionalId: name, transactionTimeout: REQUEST_TIMEOUT_MS });
      } catch (error) {
        if (!isStartingCoordinator(error) || attempts === COORDINATOR_ATTEMPTS_MAX) throw error;
        await sleep(LOOKUP_PAUSE_MS);
      }
    }
  }

  /** By partition, the first offset at or after a time, or EARLIEST, or LATEST; −1 where there is none. */
  async listOffsets(topic: string, timestamp: number): Promise<number[]> {
    const leaders = await this.leaders(topic);
    const offsets = new Array<number>(leaders.length);
    const ask = async (nodeId: number): Promise<void> => {
      const partitions = leaders.flatMap((leader, partition) => (leader === nodeId ? [{ partition, timestamp }] : []));
      const broker = await this.broker(nodeId);
      const answer = await broker.listOffsets({ isolationLevel: READ_COMMITTED, topics: [{ topic, partitions }] });
      for (const { partition, offset } of answer.responses.flatMap((each) => each.partitions)) {
        offsets[partition] = Number(offset);
      }
    };
    await Promise.all([...new Set(leaders)].map(ask)).catch((error: unknown) => {
      if (isStaleLeader(error)) this.forgetLeaders(topic);
      throw error;
    });
    return offsets;
  }

  destroy(): void {
    this.#destroyed = true;
    for (const socket of this.#sockets) socket.destroy(new Error('the connection was discarded'));
  }

  /** From the first broker that knows. kafkajs's own search does not tell why there is none, such as a lack of access. */
  async #findCoordinator(groupId: string, coordinatorType: typeof GROUPS | typeof TRANSACTIONS): Promise<Broker> {
    const { brokerPool } = this.#cluster;
    await this.#inTurn(() => brokerPool.refreshMetadata([]));
    let reason: unknown;
    for (const { nodeId } of brokerPool.metadata?.brokers ?? []) {
      try {
        const asked = await this.broker(nodeId);
        const { coordinator } = await asked.findGroupCoordinator({ groupId, coordinatorType });
        return await this.broker(coordinator.nodeId);
      } catch (error) {
        reason = error;
      }
    }
    throw reason;
  }

  async #lookUp(topic: string, lookupsMax: number): Promise<readonly number[]> {
    for (let lookups = 1; ; lookups++) {
      try {
        await this.#cluster.brokerPool.refreshMetadata([topic]);
        return this.#leadersInMetadata(topic);
      } catch (error) {
        if (!isStaleLeader(error) || lookups === lookupsMax) throw error;
        await sleep(LOOKUP_PAUSE_MS);
      }
    }
  }

  #leadersInMetadata(topic: string): readonly number[] {
    const found = this.#cluster.brokerPool.metadata?.topicMetadata.find((each) => each.topic === topic);
    const leaders: number[] = [];
    for (const { partitionId, leader } of found?.partitionMetadata ?? []) leaders[partitionId] = leader;
    return leaders;
  }

  /** kafkajs keeps the last metadata answer in one field, so lookups must not overlap. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#metadataTurn.then(act);
    this.#metadataTurn = result.catch(() => undefined);
    return result;
  }

  #trackSockets(create: SocketFactory): SocketFactory {
    return (options) => {
      const socket = create(options);
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      if (this.#destroyed) socket.destroy(new Error('the connection was discarded'));
      return socket;
    };
  }
}

/** What matters of it is thrown at us and reported by whoever called; what kafkajs says of it is for debugging. */
export function logCreator(logger: KafkaLogger): () => (entry: LogEntry) => void {
  return () => (entry) => {
    const { message, timestamp: _, logger: __, ...fields } = entry.log;
    logger.debug({ ...fields, kafkajs: entry.namespace, level: entry.label }, message);
  };
}

function kafkajsLogger(logger: KafkaLogger): Logger {
  // Only its logger is wanted; no connection is made.
  const client = new kafkajs.Kafka({ brokers: ['unused:0'], logCreator: logCreator(logger) });
  return client.logger();
}
