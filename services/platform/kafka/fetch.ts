/**
 * One fetch of several partitions from one broker. The request is kafkajs's (Fetch v11, which Kafka 2.3 to 4.x speak);
 * the answer is read here, into slices of the bytes received. Holds nothing.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_Fetch
 */
import fetchRequest from 'kafkajs/src/protocol/requests/fetch/v11/request.js';
import type { Broker } from 'kafkajs-internals';
import type { TopicPartition } from '../log/port.ts';
import { REQUEST_TIMEOUT_MS } from './connection.ts';
import { type AbortedTransaction, readInt64 } from './record-batch.ts';

const FETCH_BYTES_MAX = 8 * 1024 * 1024;
/** One batch larger than this still comes whole, when its partition is the first to have something. */
const PARTITION_BYTES_MAX = 1024 * 1024;

export interface FetchedPartition extends TopicPartition {
  /** 0, or Kafka's error code. */
  readonly errorCode: number;
  /** Up to here it can be read now: one past the last record that no open transaction holds back. */
  readonly stableEnd: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches, the last perhaps cut short. */
  readonly recordSet: Buffer;
}

/**
 * @param from in the order in which the broker shall fill the answer; rotate it, or the last may starve.
 * @param waitMs how long the broker may wait for a first record.
 */
export function fetchFrom(
  broker: Broker,
  from: readonly (TopicPartition & { readonly offset: number })[],
  waitMs: number,
): Promise<FetchAnswer> {
  const request = fetchRequest({
    replicaId: -1,
    maxWaitTime: waitMs,
    minBytes: 1,
    maxBytes: FETCH_BYTES_MAX,
    isolationLevel: 1,
    topics: from.map(({ topic, partition, offset }) => ({
      topic,
      partitions: [{ partition, fetchOffset: offset, maxBytes: PARTITION_BYTES_MAX }],
    })),
  });
  const response = {
    decode: async (answer: Buffer) => decodeAnswer(answer),
    parse: async (answer: FetchAnswer) => answer,
  };
  return broker.connectionPool.send({ request, response, requestTimeout: REQUEST_TIMEOUT_MS + waitMs });
}

export interface FetchAnswer {
  /** kafkajs holds back further requests for so long. */
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

function decodeAnswer(answer: Buffer): FetchAnswer {
  const input = new AnswerReader(answer);
  const clientSideThrottleTime = input.int32();
  const errorCode = input.int16();
  input.int32(); // session id: none is kept
  const partitions = input
    .array(() => {
      const topic = input.text();
      return input.array(() => readPartition(input, topic));
    })
    .flat();
  return { clientSideThrottleTime, errorCode, partitions };
}

function readPartition(input: AnswerReader, topic: string): FetchedPartition {
  const partition = input.int32();
  const errorCode = input.int16();
  input.int64(); // high watermark
  const stableEnd = input.int64();
  input.int64(); // log start offset
  const aborted = input.array(() => ({ producerId: input.int64(), firstOffset: input.int64() }));
  input.int32(); // preferred read replica: the leader is read
  return { topic, partition, errorCode, stableEnd, aborted, recordSet: input.bytes() };
}

class AnswerReader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    this.at += 2;
    return this.#bytes.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.#bytes.readInt32BE(this.at - 4);
  }

  int64(): number {
    this.at += 8;
    return readInt64(this.#bytes, this.at - 8);
  }

  text(): string {
    const length = this.int16();
    this.at += length;
    return this.#bytes.toString('utf8', this.at - length, this.at);
  }

  /** Null counts as empty. */
  bytes(): Buffer {
    const length = Math.max(this.int32(), 0);
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** Null counts as empty. */
  array<T>(readItem: () => T): T[] {
    return Array.from({ length: Math.max(this.int32(), 0) }, readItem);
  }
}
