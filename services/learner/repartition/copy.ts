/**
 * Copies one stream of events into topics with another number of partitions, in the order of their log clocks, each to
 * where its unit belongs there. Owns its readers, and knows what has been copied: it begins by reading the copies, so
 * that one that was ended anywhere is gone on with.
 */
import { inBatches } from '../../platform/log/batches.ts';
import { copiedFrom, type Original, originalOf, timeOf } from '../../platform/log/copied.ts';
import { partitionOf } from '../../platform/log/partitioner.ts';
import type { AppendRecord, Log, LogReader, LogRecord, LogWriter } from '../../platform/log/port.ts';
import { readToEnd, startOf } from '../../platform/log/read-to-end.ts';

const POLL_RECORDS_MAX = 5_000;
const POLL_WAIT_MS_MAX = 1_000;

export interface StreamCopyOptions {
  readonly log: Log;
  readonly source: string;
  readonly target: string;
  /** Partitions of the target. */
  readonly partitions: number;
  /** By which numbers of partitions units have been given their places in the source: one, unless it was altered. */
  readonly sourceCounts: readonly number[];
  /** Where to begin, by partition of the source. */
  readonly from: readonly number[];
  readonly writer: LogWriter;
  /** Copied at once. */
  readonly chunkRecords: number;
  onCopied(records: number): void;
}

/** What stands in one partition of the target. */
interface Place {
  /** By partition of the source, the offset of its last record that was copied here. */
  readonly copied: Map<number, number>;
  copies: number;
  end: number;
  clockMs: number;
  waiting: AppendRecord[];
}

export class StreamCopy {
  /** Copies whose clock was passed already when their original came to be seen: they count as of a little later. */
  late = 0;
  private readonly options: StreamCopyOptions;
  private readonly cursors: readonly Cursor[];
  private readonly places: readonly Place[];
  private waiting = 0;

  private constructor(options: StreamCopyOptions, places: readonly Place[]) {
    this.options = options;
    this.places = places;
    this.cursors = options.from.map((offset, partition) => new Cursor(options, partition, offset));
  }

  static async open(options: StreamCopyOptions): Promise<StreamCopy> {
    return new StreamCopy(options, await readCopies(options));
  }

  /**
   * Copies all with a log clock before that time, of what is in the source now.
   * @returns whether there was nothing to copy and nothing is left.
   */
  async copyBefore(clockMs: number, stop: AbortSignal): Promise<boolean> {
    let isQuiet = true;
    const ends = await this.options.log.admin.offsets(this.options.source);
    for (;;) {
      stop.throwIfAborted();
      for (const cursor of this.cursors) {
        const { end } = ends[cursor.partition]!;
        while (cursor.isDry && cursor.fetchedTo < end) await cursor.fetch();
      }
      const next = earliest(this.cursors, clockMs);
      if (next === null) break;
      isQuiet = !this.place(next.take(), next.partition) && isQuiet;
      if (this.waiting >= this.options.chunkRecords) await this.flush();
    }
    await this.flush();
    return isQuiet && this.cursors.every(({ isDry }) => isDry);
  }

  /** By partition of the source, the offset of the first record that is not copied. */
  positions(): number[] {
    return this.cursors.map(({ position }) => position);
  }

  /** By partition of the target: where it ends, and how many of its records are copies. */
  ends(): { readonly end: number; readonly copies: number }[] {
    return this.places.map(({ end, copies }) => ({ end, copies }));
  }

  async close(): Promise<void> {
    await Promise.all(this.cursors.map((cursor) => cursor.close()));
  }

  /** @returns false when it has been copied before. */
  private place({ record, clockMs }: Clocked, partition: number): boolean {
    const { sourceCounts, partitions } = this.options;
    const { key, value, headers, offset } = record;
    const belongs = key !== null && sourceCounts.some((count) => partitionOf(key, count) === partition);
    const place = this.places[belongs ? partitionOf(key, partitions) : partition % partitions]!;
    if (offset <= (place.copied.get(partition) ?? -1)) return false;
    const original: Original = { partition, offset, clockMs };
    // Without its key it is refused here too, as it was there for being where its unit is not.
    place.waiting.push({ key: belongs ? key : null, value, headers: { ...headers, ...copiedFrom(original) } });
    place.copied.set(partition, offset);
    if (clockMs < place.clockMs) this.late += 1;
    place.clockMs = Math.max(place.clockMs, clockMs);
    this.waiting += 1;
    return true;
  }

  private async flush(): Promise<void> {
    await Promise.all(this.places.map((place, partition) => this.append(place, partition)));
    this.options.onCopied(this.waiting);
    this.waiting = 0;
  }

  private async append(place: Place, partition: number): Promise<void> {
    const { target, writer } = this.options;
    for (const batch of inBatches(place.waiting)) {
      place.end = (await writer.append({ topic: target, partition }, batch)) + batch.length;
      place.copies += batch.length;
    }
    place.waiting = [];
  }
}

async function readCopies({ log, target, partitions }: StreamCopyOptions): Promise<Place[]> {
  const places = Array.from({ length: partitions }, (): Place => {
    return { copied: new Map(), copies: 0, end: 0, clockMs: 0, waiting: [] };
  });
  for await (const { partition, records, nextOffset } of readToEnd(log, await startOf(log, target))) {
    const place = places[partition]!;
    place.end = nextOffset;
    for (const record of records) {
      const original = originalOf(record);
      place.clockMs = Math.max(place.clockMs, timeOf(record));
      if (original === null) continue;
      place.copies += 1;
      place.copied.set(original.partition, original.offset);
    }
  }
  return places;
}

function earliest(cursors: readonly Cursor[], beforeMs: number): Cursor | null {
  let found: Cursor | null = null;
  let clockMs = beforeMs;
  for (const cursor of cursors) {
    if (cursor.clockMs >= clockMs) continue;
    found = cursor;
    clockMs = cursor.clockMs;
  }
  return found;
}

interface Clocked {
  readonly record: LogRecord;
  readonly clockMs: number;
}

/** Reads one partition of the source record by record. */
class Cursor {
  readonly partition: number;
  fetchedTo: number;
  private readonly reader: LogReader;
  private records: readonly LogRecord[] = [];
  private at = 0;
  /** Running maximum, up to the record that comes next. */
  private clock = 0;

  constructor({ log, source }: StreamCopyOptions, partition: number, offset: number) {
    this.partition = partition;
    this.fetchedTo = offset;
    this.reader = log.reader();
    this.reader.assign([{ topic: source, partition, offset }]);
  }

  get isDry(): boolean {
    return this.at === this.records.length;
  }

  /** Log clock of the record that comes next; +∞ when none has been fetched. */
  get clockMs(): number {
    return this.isDry ? Number.POSITIVE_INFINITY : this.clock;
  }

  get position(): number {
    return this.records[this.at]?.offset ?? this.fetchedTo;
  }

  /** Only when dry. */
  async fetch(): Promise<void> {
    const [batch] = await this.reader.poll({ maxRecords: POLL_RECORDS_MAX, waitMsMax: POLL_WAIT_MS_MAX });
    if (batch === undefined) return;
    this.records = batch.records;
    this.at = 0;
    this.fetchedTo = batch.nextOffset;
    this.observe();
  }

  take(): Clocked {
    const taken = { record: this.records[this.at]!, clockMs: this.clock };
    this.at += 1;
    this.observe();
    return taken;
  }

  async close(): Promise<void> {
    await this.reader.close();
  }

  private observe(): void {
    const next = this.records[this.at];
    if (next !== undefined) this.clock = Math.max(this.clock, timeOf(next));
  }
}
