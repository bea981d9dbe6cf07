/**
 * Reader of Kafka partitions by assign and seek, without a consumer group. Owns the positions and a small read-ahead of
 * every partition; each broker is asked for all its partitions at once, brokers in parallel. Nothing is fetched unless
 * someone polls. Not here: bytes (fetch.ts, record-batch.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import protocolError from 'kafkajs/src/protocol/error.js';
import { assert, Corrupt, Invalid, Unavailable } from '../../core/errors.ts';
import { type Source, takeOldestFirst } from '../log/oldest-first.ts';
import type { LogReader, RecordBatch, TopicPartition } from '../log/port.ts';
import { Signal } from '../log/signal.ts';
import { Connection, EARLIEST, type KafkaOptions, LATEST, type Session } from './connection.ts';
import { isStaleLeader, typeOf } from './errors.ts';
import { type FetchedPartition, fetchFrom } from './fetch.ts';
import { RecordSet } from './record-batch.ts';

type Position = TopicPartition & { readonly offset: number };

/** Two fetches: one being taken from, one waiting. */
const SETS_MAX = 2;
const WAIT_MS = 200;
/** When some partition is not in the fetch because its read-ahead is full: it must not wait for the others' silence. */
const SHORT_WAIT_MS = 10;
const RETRY_PAUSE_MS = 100;
const STALE_MAX = 100;

/** A partition since its last assign or seek; answers for an older one find it gone and are dropped. */
class Assigned implements TopicPartition, Source {
  readonly topic: string;
  readonly partition: number;
  fetchOffset: number;
  readonly fetched: RecordSet[] = [];
  fetching = false;
  staleAnswers = 0;
  /** Up to here it could be read by the last answer; before the first, who knows. */
  stableEnd = Number.POSITIVE_INFINITY;

  constructor({ topic, partition, offset }: Position) {
    this.topic = topic;
    this.partition = partition;
    this.fetchOffset = offset;
  }

  get nextTimeMs(): number | null {
    return this.fetched[0]?.nextTimeMs ?? null;
  }

  get hasMore(): boolean {
    return this.fetchOffset < this.stableEnd;
  }

  get hasRoom(): boolean {
    return !this.fetching && this.fetched.length < SETS_MAX;
  }

  take(maxRecords: number, upToMs: number): RecordBatch {
    const [set] = this.fetched as [RecordSet];
    const { topic, partition } = this;
    const records = set.take(maxRecords, upToMs);
    if (set.isTaken) this.fetched.shift();
    return { topic, partition, records, nextOffset: set.position };
  }
}

export class KafkaReader implements LogReader {
  readonly #connection: Connection;
  readonly #onClose: () => void;
  readonly #arrived = new Signal();
  readonly #busyNodes = new Set<number>();
  #assigned = new Map<string, Assigned>();
  #lookingUp = false;
  #failure: Error | null = null;
  #retryAtMs = 0;
  #fetches = 0;
  #closed = false;

  constructor(options: KafkaOptions, onClose: () => void) {
    this.#connection = new Connection(options);
    this.#onClose = onClose;
  }

  assign(positions: readonly Position[]): void {
    this.#assertOpen();
    this.#assigned = new Map(positions.map((position) => [nameOf(position), new Assigned(position)]));
    this.#failure = null;
  }

  seek(to: Position): void {
    this.#assertOpen();
    assert(this.#assigned.has(nameOf(to)), `seek in ${nameOf(to)}, which is not assigned`);
    this.#assigned.set(nameOf(to), new Assigned(to));
  }

  async poll(options: { readonly maxRecords: number; readonly waitMsMax: number }): Promise<readonly RecordBatch[]> {
    this.#assertOpen();
    const deadlineMs = performance.now() + options.waitMsMax;
    for (;;) {
      if (this.#closed) return [];
      const nowMs = performance.now();
      const batches = this.#take(options.maxRecords, nowMs >= deadlineMs);
      void this.#readAhead();
      if (batches.length > 0) return batches;
      this.#throwFailure();
      if (nowMs >= deadlineMs) return [];
      const wakeMs = this.#retryAtMs > nowMs ? Math.min(this.#retryAtMs, deadlineMs) : deadlineMs;
      await this.#arrived.wait(wakeMs - nowMs);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#assigned.clear();
    this.#arrived.fire();
    this.#connection.close();
    this.#onClose();
  }

  /** @param isLast whether to take what there is, though what has not come yet may be older. */
  #take(maxRecords: number, isLast: boolean): RecordBatch[] {
    const all = [...this.#assigned.values()];
    const isKnown = all.every(({ nextTimeMs, hasMore }) => nextTimeMs !== null || !hasMore);
    return isKnown || isLast || this.#failure !== null ? takeOldestFirst(all, maxRecords) : [];
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
  }

  /** Starts a fetch at every broker that leads a partition with room and is not being asked already. Never rejects. */
  async #readAhead(): Promise<void> {
    if (this.#lookingUp || this.#closed || this.#failure !== null || performance.now() < this.#retryAtMs) return;
    this.#lookingUp = true;
    try {
      for (const [nodeId, wanted] of await this.#wantedByNode()) void this.#fetch(nodeId, wanted);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#lookingUp = false;
    }
  }

  async #wantedByNode(): Promise<Map<number, Assigned[]>> {
    const wanted = [...this.#assigned.values()].filter(({ hasRoom }) => hasRoom);
    const byNode = new Map<number, Assigned[]>();
    if (wanted.length === 0) return byNode;
    await this.#connection.use('find the leaders of the assigned partitions', async (session) => {
      for (const assigned of wanted) {
        const nodeId = await session.leaderOf(assigned);
        if (!this.#busyNodes.has(nodeId)) byNode.set(nodeId, [...(byNode.get(nodeId) ?? []), assigned]);
      }
    });
    return byNode;
  }

  async #fetch(nodeId: number, partitions: readonly Assigned[]): Promise<void> {
    this.#busyNodes.add(nodeId);
    for (const assigned of partitions) assigned.fetching = true;
    this.#fetches += 1;
    const shift = this.#fetches % partitions.length;
    const rotated = [...partitions.slice(shift), ...partitions.slice(0, shift)];
    try {
      await this.#connection.use(`fetch ${rotated.map(nameOf).join(', ')}`, async (session) => {
        const everyoneIn = [...this.#assigned.values()].every((assigned) => assigned.fetching);
        const from = rotated.map(({ topic, partition, fetchOffset }) => ({ topic, partition, offset: fetchOffset }));
        const answer = await fetchFrom(await session.broker(nodeId), from, everyoneIn ? WAIT_MS : SHORT_WAIT_MS);
        if (answer.errorCode !== 0) throw protocolError.createErrorFromCode(answer.errorCode);
        for (const fetched of answer.partitions) await this.#accept(session, fetched, partitions);
      });
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#busyNodes.delete(nodeId);
      for (const assigned of partitions) assigned.fetching = false;
      this.#arrived.fire();
      void this.#readAhead();
    }
  }

  async #accept(session: Session, fetched: FetchedPartition, asked: readonly Assigned[]): Promise<void> {
    const assigned = this.#assigned.get(nameOf(fetched));
    if (assigned === undefined || !asked.includes(assigned)) return;
    if (fetched.errorCode !== 0) {
      await this.#recover(session, assigned, protocolError.createErrorFromCode(fetched.errorCode));
      return;
    }
    assigned.staleAnswers = 0;
    assigned.stableEnd = fetched.stableEnd;
    const from = { topic: assigned.topic, partition: assigned.partition, offset: assigned.fetchOffset };
    const set = new RecordSet(from, fetched.recordSet, fetched.aborted);
    if (set.nextOffset === assigned.fetchOffset) return;
    assigned.fetchOffset = set.nextOffset;
    assigned.fetched.push(set);
  }

  async #recover(session: Session, assigned: Assigned, error: Error): Promise<void> {
    if (typeOf(error) === 'OFFSET_OUT_OF_RANGE') {
      await this.#moveIntoRange(session, assigned);
      return;
    }
    assigned.staleAnswers += 1;
    if (!isStaleLeader(error)) throw error;
    if (assigned.staleAnswers === STALE_MAX) {
      assigned.staleAnswers = 0;
      throw new Unavailable('no-leader', `${nameOf(assigned)} has no leader: ${error.message}`, { cause: error });
    }
    session.forgetLeaders(assigned.topic);
    await sleep(RETRY_PAUSE_MS);
  }

  async #moveIntoRange(session: Session, assigned: Assigned): Promise<void> {
    const start = (await session.listOffsets(assigned.topic, EARLIEST))[assigned.partition]!;
    const end = (await session.listOffsets(assigned.topic, LATEST))[assigned.partition]!;
    if (assigned.fetchOffset > end) {
      const where = `asked for offset ${assigned.fetchOffset} of ${nameOf(assigned)}, which ends at ${end}`;
      throw new Corrupt('offset-beyond-end', where);
    }
    // Between them there is nothing to move: the log's start moved on while we asked, and the next fetch will tell.
    if (assigned.fetchOffset < start) assigned.fetchOffset = start;
  }

  /** The next poll throws it. Until then nothing is fetched, and not at once after: the broker needs its peace. */
  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#failure = error instanceof Error ? error : new Unavailable('log-unavailable', String(error));
    this.#retryAtMs = performance.now() + RETRY_PAUSE_MS;
    this.#arrived.fire();
  }

  #assertOpen(): void {
    if (this.#closed) throw new Invalid('closed', 'this reader is closed');
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
