/**
 * Follows partitions of a topic from their start for as long as it runs: for the compacted topics that are held in
 * memory (experiments, tallies, snapshots). Owns its reader and positions; what a batch means is its caller's business.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Unavailable } from '../../core/errors.ts';
import { partitionCountOf } from './partition-count.ts';
import type { Log, LogReader, RecordBatch } from './port.ts';

const POLL_RECORDS_MAX = 5_000;
const POLL_WAIT_MS_MAX = 500;
const RETRY_DELAY_MS = 200;

export interface FollowerOptions {
  readonly log: Log;
  readonly topic: string;
  /** All partitions when left out. */
  readonly partitions?: readonly number[];
  /**
   * Called in offset order within a partition, never twice at once. After Unavailable it gets the same batch again;
   * anything else that it throws stops the follower.
   */
  onBatch(batch: RecordBatch): Promise<void>;
  /** Called when the log or the handler does not answer; it is tried again. */
  onUnavailable(error: Unavailable): void;
  /** Called when following ended for good; `catchUp` throws the same. */
  onFailed?(error: unknown): void;
}

interface Waiter {
  readonly ends: ReadonlyMap<number, number>;
  resolve(): void;
  reject(error: unknown): void;
}

export class TopicFollower {
  private readonly options: FollowerOptions;
  private readonly positions = new Map<number, number>();
  private readonly waiters = new Set<Waiter>();
  private reader: LogReader | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;
  private failure: unknown;

  constructor(options: FollowerOptions) {
    this.options = options;
  }

  /** Resolves once following has begun; may be tried again after Unavailable. @throws Invalid `unknown-topic`. */
  async start(): Promise<void> {
    if (this.running !== undefined) return;
    const { log, topic, partitions } = this.options;
    const count = await partitionCountOf(log, topic);
    const followed = partitions ?? Array.from({ length: count }, (_, partition) => partition);
    for (const partition of followed) this.positions.set(partition, 0);
    this.reader = log.reader();
    this.reader.assign(followed.map((partition) => ({ topic, partition, offset: 0 })));
    this.running = this.run(this.reader).catch((error: unknown) => this.fail(error));
  }

  /** Resolves when all that is in the topic now has been handled. @throws what stopped the follower. */
  async catchUp(): Promise<void> {
    const offsets = await this.options.log.admin.offsets(this.options.topic);
    const ends = new Map([...this.positions.keys()].map((partition) => [partition, offsets[partition]?.end ?? 0]));
    if (this.failure !== undefined) throw this.failure;
    if (this.stopping) throw this.stopped();
    await new Promise<void>((resolve, reject) => {
      this.waiters.add({ ends, resolve, reject });
      this.wake();
    });
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.reader?.close();
    await this.running;
    this.rejectWaiters(this.stopped());
  }

  private async run(reader: LogReader): Promise<void> {
    while (!this.stopping) {
      for (const batch of await this.poll(reader)) await this.handle(batch);
      this.wake();
    }
  }

  private async handle(batch: RecordBatch): Promise<void> {
    while (!this.stopping) {
      try {
        await this.options.onBatch(batch);
        this.positions.set(batch.partition, batch.nextOffset);
        return;
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        this.options.onUnavailable(error);
        await delay(RETRY_DELAY_MS);
      }
    }
  }

  private async poll(reader: LogReader): Promise<readonly RecordBatch[]> {
    try {
      return await reader.poll({ maxRecords: POLL_RECORDS_MAX, waitMsMax: POLL_WAIT_MS_MAX });
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      this.options.onUnavailable(error);
      await delay(RETRY_DELAY_MS);
      return [];
    }
  }

  private wake(): void {
    for (const waiter of this.waiters) {
      if (![...waiter.ends].every(([partition, end]) => this.positions.get(partition)! >= end)) continue;
      this.waiters.delete(waiter);
      waiter.resolve();
    }
  }

  private stopped(): Unavailable {
    return new Unavailable('stopped', `no longer following ${this.options.topic}`);
  }

  private fail(error: unknown): void {
    this.failure = error;
    this.rejectWaiters(error);
    this.options.onFailed?.(error);
  }

  private rejectWaiters(error: unknown): void {
    for (const waiter of this.waiters) waiter.reject(error);
    this.waiters.clear();
  }
}
