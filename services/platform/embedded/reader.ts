/** Reader of the embedded log: owns its positions; the records stay with the partitions. */
import { setImmediate } from 'node:timers/promises';
import { assert, Corrupt, Invalid } from '../../core/errors.ts';
import { type Source, takeOldestFirst } from '../log/oldest-first.ts';
import type { LogReader, RecordBatch, TopicPartition } from '../log/port.ts';
import type { Signal } from '../log/signal.ts';
import type { Topics } from './topics.ts';

type Position = TopicPartition & { readonly offset: number };

export class EmbeddedReader implements LogReader {
  readonly #topics: Topics;
  readonly #appended: Signal;
  readonly #onClose: () => void;
  #positions: Position[] = [];
  #closed = false;

  constructor(topics: Topics, appended: Signal, onClose: () => void) {
    this.#topics = topics;
    this.#appended = appended;
    this.#onClose = onClose;
  }

  assign(positions: readonly Position[]): void {
    this.#assertOpen();
    this.#positions = [...positions];
  }

  seek(to: Position): void {
    this.#assertOpen();
    const index = this.#indexOf(to);
    assert(index >= 0, `seek in ${to.topic}/${to.partition}, which is not assigned`);
    this.#positions[index] = to;
  }

  async poll(options: { readonly maxRecords: number; readonly waitMsMax: number }): Promise<readonly RecordBatch[]> {
    this.#assertOpen();
    // One turn of the event loop a poll, or a busy reader would starve the process's other work.
    await setImmediate();
    const deadlineMs = performance.now() + options.waitMsMax;
    for (;;) {
      if (this.#closed) return [];
      const batches = this.#take(options.maxRecords);
      const leftMs = deadlineMs - performance.now();
      if (batches.length > 0 || leftMs <= 0) return batches;
      await this.#appended.wait(leftMs);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#appended.fire();
    this.#onClose();
  }

  #take(maxRecords: number): RecordBatch[] {
    const ready = this.#positions.filter((position) => this.#hasMore(position));
    return takeOldestFirst(
      ready.map((position) => this.#sourceAt(position)),
      maxRecords,
    );
  }

  #sourceAt({ topic, partition, offset }: Position): Source {
    const held = this.#topics.partition({ topic, partition });
    let next = offset;
    const take = (maxRecords: number, upToMs: number): RecordBatch => {
      const batch = held.read(next, maxRecords, upToMs);
      next = batch.nextOffset;
      this.#positions[this.#indexOf(batch)] = { topic, partition, offset: next };
      return batch;
    };
    return {
      get nextTimeMs() {
        return next < held.end ? held.timeFrom(next) : null;
      },
      hasMore: false,
      take,
    };
  }

  #hasMore(position: Position): boolean {
    const { end } = this.#topics.partition(position);
    if (position.offset > end) {
      const name = `${position.topic}/${position.partition}`;
      throw new Corrupt('offset-beyond-end', `asked for offset ${position.offset} of ${name}, which ends at ${end}`);
    }
    return position.offset < end;
  }

  #indexOf({ topic, partition }: TopicPartition): number {
    return this.#positions.findIndex((position) => position.topic === topic && position.partition === partition);
  }

  #assertOpen(): void {
    if (this.#closed) throw new Invalid('closed', 'this reader is closed');
  }
}
