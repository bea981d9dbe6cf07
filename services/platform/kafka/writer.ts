/**
 * Writer to Kafka: each append is one produce request to one partition's leader, acknowledged by all in-sync replicas,
 * one in flight a partition. Owns the queues. After a lost answer it reports Unavailable, throws the connection away and
 * leaves the decision to the caller.
 *
 * A sole writer is a producer with an epoch (the fencing of transactions, without any): a partition refuses the epochs
 * before the newest that it has heard of. Its sequence numbers are our own, since kafkajs's can lose a batch silently;
 * after a failure it is not known which one comes next, so it takes no more.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Invalid, Unavailable } from '../../core/errors.ts';
import { APPEND_BYTES_MAX, appendBytes } from '../log/append-bytes.ts';
import type { AppendRecord, LogWriter, TopicPartition } from '../log/port.ts';
import { Connection, type KafkaOptions, type Producer, REQUEST_TIMEOUT_MS } from './connection.ts';
import { isStaleLeader } from './errors.ts';

const ACK_ALL = -1;
/** The broker gives up before we do, so that a slow replica is an answer and not a lost one. */
const REPLICATION_TIMEOUT_MS = REQUEST_TIMEOUT_MS - 3_000;
const SENDS_MAX = 5;
const RETRY_PAUSE_MS = 150;

interface Queued {
  readonly records: readonly AppendRecord[];
  readonly resolve: (offset: number) => void;
  readonly reject: (error: unknown) => void;
}

export class KafkaWriter implements LogWriter {
  readonly #connection: Connection;
  readonly #onClose: () => void;
  /** By partition, what waits behind the append in flight; no entry when nothing is in flight. */
  readonly #queues = new Map<string, Queued[]>();
  readonly #producer: Producer | null;
  /** By partition, the next of a sole writer's. */
  readonly #sequences = new Map<string, number>();
  #failed = false;
  #inFlight: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: KafkaOptions, onClose: () => void, producer: Producer | null = null) {
    this.#connection = new Connection(options);
    this.#onClose = onClose;
    this.#producer = producer;
  }

  static async sole(options: KafkaOptions, name: string, onClose: () => void): Promise<KafkaWriter> {
    const connection = new Connection(options);
    try {
      const producer = await connection.use(`begin writer ${name}`, (session) => session.beginProducer(name));
      return new KafkaWriter(options, onClose, producer);
    } finally {
      connection.close();
    }
  }

  async append(to: TopicPartition, records: readonly AppendRecord[]): Promise<number> {
    if (this.#closed) throw new Invalid('closed', 'this writer is closed');
    const name = `${to.topic}/${to.partition}`;
    if (records.length === 0) throw new Invalid('empty-append', `no records for ${name}`);
    if (this.#failed)
      throw new Unavailable('writer-failed', `${name}: this sole writer failed before; begin a new one`);
    const bytes = appendBytes(records);
    if (bytes > APPEND_BYTES_MAX) {
      throw new Invalid('record-too-large', `${bytes} bytes for ${name}; no topic takes more than ${APPEND_BYTES_MAX}`);
    }
    return new Promise((resolve, reject) => {
      const queued = { records, resolve, reject };
      const queue = this.#queues.get(name);
      if (queue === undefined) {
        this.#queues.set(name, [queued]);
        this.#inFlight = Promise.all([this.#inFlight, this.#drain(to, name)]);
      } else queue.push(queued);
    });
  }

  /** Waits for what is in flight; each append has its own time limit. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#inFlight;
    this.#connection.close();
    this.#onClose();
  }

  async #drain(to: TopicPartition, name: string): Promise<void> {
    const queue = this.#queues.get(name)!;
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      try {
        next.resolve(await this.#send(to, next.records, this.#sequences.get(name) ?? 0));
        this.#sequences.set(name, (this.#sequences.get(name) ?? 0) + next.records.length);
        queue.shift();
      } catch (error) {
        // What was refused for its own sake leaves the others in order; after a lost answer nobody behind may overtake.
        if (!(error instanceof Invalid)) this.#failed = this.#producer !== null;
        const failed = error instanceof Invalid ? queue.splice(0, 1) : queue.splice(0);
        for (const each of failed) each.reject(error);
      }
    }
    this.#queues.delete(name);
  }

  #send(to: TopicPartition, records: readonly AppendRecord[], firstSequence: number): Promise<number> {
    const { topic, partition } = to;
    const messages = records.map(({ key, value, headers }) => ({
      key: key === null ? null : Buffer.from(key),
      value,
      headers: headers ?? {},
    }));
    const topicData = [{ topic, partitions: [{ partition, firstSequence, messages }] }];
    return this.#connection.use(`append to ${topic}/${partition}`, async (session) => {
      for (let sends = 1; ; sends++) {
        const broker = await session.broker(await session.leaderOf(to));
        try {
          const answer = await broker.produce({
            acks: ACK_ALL,
            timeout: REPLICATION_TIMEOUT_MS,
            topicData,
            ...this.#producer,
          });
          return Number(answer.topics[0]!.partitions[0]!.baseOffset);
        } catch (error) {
          // Only answers that say "not appended, ask elsewhere" are tried again here.
          if (!isStaleLeader(error) || sends === SENDS_MAX) throw error;
          session.forgetLeaders(topic);
          await sleep(RETRY_PAUSE_MS);
        }
      }
    });
  }
}
