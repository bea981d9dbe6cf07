/**
 * Appends records in the background, so that who offers one never waits: a bounded buffer, small batches, one in flight
 * a partition, order kept within a partition. Owns the buffer and its writer. While the log is away it keeps what it
 * has and, once full, refuses more: its owner must then not do what it could not record.
 * A batch whose answer was lost is appended again: readers must take what comes twice as one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CroupierError, Unavailable } from '../../core/errors.ts';
import { appendBytes } from './append-bytes.ts';
import { partitionOf } from './partitioner.ts';
import type { AppendRecord, Log, LogWriter } from './port.ts';

const BATCH_BYTES_MAX = 900_000;
const BATCH_RECORDS_MAX = 1_000;
const RETRY_DELAY_MS = 200;

export interface BatchAppenderOptions {
  readonly log: Log;
  readonly topic: string;
  /** How long a record may wait for others to share its batch. */
  readonly lingerMs: number;
  readonly bufferRecordsMax: number;
  readonly bufferBytesMax: number;
  readonly observer: BatchAppenderObserver;
}

export interface BatchAppenderObserver {
  /** The batch is tried again. */
  unavailable(error: Unavailable): void;
  /** These records will never be in the log. */
  lost(records: number, error: CroupierError): void;
}

interface Queued {
  readonly record: AppendRecord & { readonly key: string; readonly value: Buffer };
  /** @param place the first that is known of: a batch whose answer was lost may also be there earlier. */
  resolve?(place: RecordPlace): void;
  reject?(error: CroupierError): void;
}

/** Where a record is in the topic. */
export interface RecordPlace {
  readonly partition: number;
  readonly offset: number;
}

export class BatchAppender {
  private readonly options: BatchAppenderOptions;
  private readonly writer: LogWriter;
  /** Not yet given to a partition: within the linger, or while the partition count is unknown. */
  private incoming: Queued[] = [];
  private readonly queues = new Map<number, Queued[]>();
  private readonly draining = new Map<number, Promise<void>>();
  private readonly giveUp = new AbortController();
  private partitionCount: number | null = null;
  private routing: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private stopping = false;
  private records = 0;
  private bytes = 0;

  constructor(options: BatchAppenderOptions) {
    this.options = options;
    this.writer = options.log.writer();
  }

  /** Records that are not in the log yet. */
  get depth(): number {
    return this.records;
  }

  /**
   * @param appended is told where the record is, once it is in the log.
   * @returns false when there is no room: the record was not taken.
   */
  offer(key: string, value: Buffer, appended?: (place: RecordPlace) => void): boolean {
    const record = { key, value };
    return this.take(appended === undefined ? { record } : { record, resolve: appended });
  }

  /** Resolves when the record is in the log. @throws Unavailable when there is no room; what the log refuses it for. */
  append(key: string, value: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.take({ record: { key, value }, resolve: () => resolve(), reject })) return;
      reject(
        new Unavailable('buffer-full', `${this.records} records wait for ${this.options.topic}, no room for more`),
      );
    });
  }

  /** Takes no more, appends what it has, and counts as lost what is left when the time is over. */
  async stop({ flushMsMax }: { readonly flushMsMax: number }): Promise<void> {
    this.stopping = true;
    const deadline = setTimeout(() => this.giveUp.abort(), flushMsMax);
    const gaveUp = new Promise<void>((resolve) => this.giveUp.signal.addEventListener('abort', () => resolve()));
    await Promise.race([this.flush(), gaveUp]);
    clearTimeout(deadline);
    if (this.records === 0) return this.writer.close();
    this.loseRest(flushMsMax);
    // An append that is still in flight would keep us beyond the deadline.
    this.writer.close().catch(() => {});
  }

  private take(queued: Queued): boolean {
    const { bufferRecordsMax, bufferBytesMax, lingerMs } = this.options;
    const bytes = queued.record.value.length;
    if (this.stopping || this.records >= bufferRecordsMax || this.bytes + bytes > bufferBytesMax) return false;
    this.records += 1;
    this.bytes += bytes;
    this.incoming.push(queued);
    this.timer ??= setTimeout(() => {
      this.timer = null;
      void this.route();
    }, lingerMs);
    return true;
  }

  private async flush(): Promise<void> {
    while (!this.giveUp.signal.aborted && (this.incoming.length > 0 || this.draining.size > 0)) {
      await this.route();
      await Promise.all(this.draining.values());
    }
  }

  private route(): Promise<void> {
    this.routing ??= this.routeIncoming().finally(() => {
      this.routing = null;
    });
    return this.routing;
  }

  private async routeIncoming(): Promise<void> {
    const count = this.partitionCount ?? (await this.learnPartitionCount());
    if (count === null) return;
    for (const queued of this.incoming) {
      const partition = partitionOf(queued.record.key, count);
      const queue = this.queues.get(partition);
      if (queue === undefined) this.queues.set(partition, [queued]);
      else queue.push(queued);
    }
    this.incoming = [];
    for (const [partition, queue] of this.queues) {
      if (queue.length > 0 && !this.draining.has(partition)) this.startDraining(partition, queue);
    }
  }

  private startDraining(partition: number, queue: Queued[]): void {
    const done = this.drain(partition, queue).finally(() => {
      this.draining.delete(partition);
      // What was routed between the last look at the queue and here.
      if (queue.length > 0 && !this.giveUp.signal.aborted) this.startDraining(partition, queue);
    });
    this.draining.set(partition, done);
  }

  /** Asks until the log answers. @returns `null` when given up. */
  private async learnPartitionCount(): Promise<number | null> {
    const { log, topic } = this.options;
    while (!this.giveUp.signal.aborted) {
      try {
        const count = await log.admin.partitionCount(topic);
        if (count === null) throw new Unavailable('unknown-topic', `topic ${topic} does not exist (yet)`);
        this.partitionCount = count;
        return count;
      } catch (error) {
        if (!(error instanceof CroupierError)) throw error;
        await this.pauseAfter(error);
      }
    }
    return null;
  }

  private async drain(partition: number, queue: Queued[]): Promise<void> {
    let recordsMax = BATCH_RECORDS_MAX;
    while (queue.length > 0 && !this.giveUp.signal.aborted) {
      const batch = cutBatch(queue, recordsMax);
      try {
        const first = await this.writer.append(
          { topic: this.options.topic, partition },
          batch.map(({ record }) => record),
        );
        this.settle(queue, batch.length, { partition, offset: first });
        recordsMax = BATCH_RECORDS_MAX;
      } catch (error) {
        if (!(error instanceof CroupierError)) throw error;
        if (error instanceof Unavailable) await this.pauseAfter(error);
        else if (batch.length === 1) this.settle(queue, 1, error);
        // One record is refused and takes its batch with it: smaller batches find it.
        else recordsMax = Math.ceil(batch.length / 2);
      }
    }
  }

  /** The first records of a queue are in the log from a place on, or refused by it. */
  private settle(queue: Queued[], count: number, result: RecordPlace | CroupierError): void {
    // After giving up they are counted as lost already, though the log may have taken them in the end.
    if (this.giveUp.signal.aborted) return;
    const refused = result instanceof CroupierError;
    for (const [at, { record, resolve, reject }] of queue.splice(0, count).entries()) {
      this.records -= 1;
      this.bytes -= record.value.length;
      if (refused) reject?.(result);
      else resolve?.({ partition: result.partition, offset: result.offset + at });
    }
    if (refused) this.options.observer.lost(count, result);
  }

  private loseRest(flushMsMax: number): void {
    const { topic, observer } = this.options;
    const error = new Unavailable('not-flushed', `${this.records} records not in ${topic} after ${flushMsMax} ms`);
    for (const { reject } of [...this.queues.values()].flat().concat(this.incoming)) reject?.(error);
    observer.lost(this.records, error);
  }

  private async pauseAfter(error: CroupierError): Promise<void> {
    const { topic, observer } = this.options;
    const away = error instanceof Unavailable ? error : new Unavailable(error.code, `${topic}: ${error.message}`);
    observer.unavailable(away);
    // Giving up ends the wait early, nothing else can.
    await delay(RETRY_DELAY_MS, undefined, { signal: this.giveUp.signal }).catch(() => {});
  }
}

function cutBatch(queue: readonly Queued[], recordsMax: number): readonly Queued[] {
  let bytes = 0;
  let count = 0;
  while (count < queue.length && count < recordsMax) {
    bytes += appendBytes([queue[count]!.record]);
    if (count > 0 && bytes > BATCH_BYTES_MAX) break;
    count += 1;
  }
  return queue.slice(0, count);
}
