/**
 * One partition of the embedded log: its records in memory and, when the log has a folder, in a segment file.
 * Owns offsets. Not here: topics, readers, limits.
 */
import type { AppendRecord, LogRecord, RecordBatch, TopicPartition } from '../log/port.ts';
import { Segment } from './segment.ts';

export class Partition {
  #records: LogRecord[];
  #start: number;
  #end: number;
  readonly #name: TopicPartition;
  readonly #segment: Segment | null;

  private constructor(
    name: TopicPartition,
    segment: Segment | null,
    content: { start: number; end: number; records: LogRecord[] },
  ) {
    this.#name = name;
    this.#segment = segment;
    this.#records = content.records;
    this.#start = content.start;
    this.#end = content.end;
  }

  static inMemory(name: TopicPartition): Partition {
    return new Partition(name, null, { start: 0, end: 0, records: [] });
  }

  static create(name: TopicPartition, path: string): Partition {
    return new Partition(name, Segment.create(path), { start: 0, end: 0, records: [] });
  }

  static open(name: TopicPartition, path: string): Partition {
    const { segment, content } = Segment.open(path);
    return new Partition(name, segment, content);
  }

  /** First offset still there. */
  get start(): number {
    return this.#start;
  }

  /** Offset of the next append. */
  get end(): number {
    return this.#end;
  }

  /** @returns offset of the first record. */
  append(records: readonly AppendRecord[], appendTimeMs: number): number {
    const first = this.#end;
    const added = records.map(({ key, value, headers }, index) => ({
      offset: first + index,
      appendTimeMs,
      key,
      // Copied: the caller may use its buffer again.
      value: value === null ? null : Buffer.from(value),
      headers: { ...headers },
    }));
    this.#segment?.append(added);
    for (const record of added) this.#records.push(record);
    this.#end = first + added.length;
    return first;
  }

  /** At most so many records from an offset on, ending before the first that was appended later than that. */
  read(offset: number, maxRecords: number, upToMs: number): RecordBatch {
    const from = this.#indexOf(offset);
    const next = this.#records.slice(from, from + maxRecords);
    const later = next.findIndex(({ appendTimeMs }) => appendTimeMs > upToMs);
    const records = later === -1 ? next : next.slice(0, later);
    const following = this.#records[from + records.length];
    return { ...this.#name, records, nextOffset: following?.offset ?? this.#end };
  }

  /** @returns when the record at or after the offset was appended; −∞ when only a gap is left before the end. */
  timeFrom(offset: number): number {
    return this.#records[this.#indexOf(offset)]?.appendTimeMs ?? Number.NEGATIVE_INFINITY;
  }

  /** First offset appended at or after the time, else the end. Append times need not rise: the clock may step back. */
  firstAppendedAt(timeMs: number): number {
    return this.#records.find((record) => record.appendTimeMs >= timeMs)?.offset ?? this.#end;
  }

  /** Keeps the newest record of each key, tombstones included; offsets stay, gaps appear. */
  compact(): void {
    const newest = new Map(this.#records.map((record) => [record.key, record.offset]));
    this.#replace(this.#records.filter((record) => newest.get(record.key) === record.offset));
  }

  /** Drops the oldest records up to the first that was appended at or after the time. */
  dropBefore(timeMs: number): void {
    const start = this.firstAppendedAt(timeMs);
    if (start === this.#start) return;
    this.#start = start;
    this.#replace(this.#records.filter((record) => record.offset >= start));
  }

  close(): void {
    this.#segment?.close();
  }

  #replace(records: LogRecord[]): void {
    this.#segment?.rewrite({ start: this.#start, end: this.#end, records });
    this.#records = records;
  }

  /** Index of the first record at or after the offset. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#records[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
