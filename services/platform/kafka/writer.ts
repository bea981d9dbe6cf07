/**
 * Writer to Kafka: each append is one produce request to one partition's leader, acknowledged by all in-sync replicas,
 * one in flight a partition. Owns the queues. Not idempotent on purpose: kafkajs's sequence numbers can lose a batch
 * silently after a lost answer; we report Unavailable, throw the connection away and leave the decision to the caller.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Invalid } from '../../core/errors.ts';
import { APPEND_BYTES_MAX, appendBytes } from '../log/append-bytes.ts';
import type { AppendRecord, LogWriter, TopicPartition } from '../log/port.ts';
import { Connection, type KafkaOptions, REQUEST_TIMEOUT_MS } from './connection.ts';
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
  #inFlight: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: KafkaOptions, onClose: () => void) {
    this.#connection = new Connection(options);
    this.#onClose = onClose;
  }

  async append(to: TopicPartition, records: readonly AppendRecord[]): Promise<number> {
    if (this.#closed) throw new Invalid('closed', 'this writer is closed');
    const name = `${to.topic}/${to.partition}`;
    if (records.length === 0) throw new Invalid('empty-append', `no records for ${name}`);
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
        next.resolve(await this.#send(to, next.records));
        queue.shift();
      } catch (error) {
        // What was refused for its own sake leaves the others in order; after a lost answer nobody behind may overtake.
        const failed = error instanceof Invalid ? queue.splice(0, 1) : queue.splice(0);
        for (const each of failed) each.reject(error);
      }
    }
    this.#queues.delete(name);
  }

  #send(to: TopicPartition, records: readonly AppendRecord[]): Promise<number> {
    const { topic, partition } = to;
    const messages = records.map(({ key, value, headers }) => ({
      key: key === null ? null : Buffer.from(key),
      value,
      headers: headers ?? {},
    }));
    const topicData = [{ topic, partitions: [{ partition, firstSequence: 0, messages }] }];
    return this.#connection.use(`append to ${topic}/${partition}`, async (session) => {
      for (let sends = 1; ; sends++) {
        const broker = await session.broker(await session.leaderOf(to));
        try {
          const answer = await broker.produce({ acks: ACK_ALL, timeout: REPLICATION_TIMEOUT_MS, topicData });
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
