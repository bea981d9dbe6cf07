/**
 * Record batches (format 2) as the broker sends them, turned into records: read-committed, from a given offset on.
 * Done here and not by kafkajs because its reader gets stuck on batches that compaction or aborts left empty, takes a
 * key of four zero bytes for an abort marker, and spends most of its time on 64-bit number objects.
 * Source: https://kafka.apache.org/documentation/#recordbatch
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { Invalid } from '../../core/errors.ts';
import type { LogRecord, TopicPartition } from '../log/port.ts';

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

const HEADER_BYTES = 61;
const LENGTH_AT = 8;
const LENGTH_END = 12;
const CODECS: readonly string[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const READABLE: readonly (string | undefined)[] = ['none', 'gzip', 'zstd'];
/** A batch that unpacks to more is refused rather than filling the memory. */
const UNPACKED_BYTES_MAX = 256 * 1024 * 1024;
const NO_HEADERS: LogRecord['headers'] = Object.freeze({});

/**
 * What a fetch brought of one partition. A record becomes an object only when it is taken: what waits its turn is bytes, and
 * no work for the garbage collector.
 */
export class RecordSet {
  /** One past the last offset covered, records or not; the given offset when nothing whole was there. */
  readonly nextOffset: number;
  readonly #fromOffset: number;
  #position: number;
  readonly #batches: readonly VisibleBatch[];
  /** The batch that is read and how many of its records have been. */
  #batch = 0;
  #read = 0;

  /**
   * @param bytes whole batches and perhaps the beginning of one more, which is left for the next fetch.
   * @throws Invalid `unsupported-codec`, `unsupported-format`, `not-append-time`, when the first batch is such a one; when
   * a later one is, the set ends before it.
   */
  constructor(
    from: TopicPartition & { readonly offset: number },
    bytes: Buffer,
    aborted: readonly AbortedTransaction[],
  ) {
    const batches: VisibleBatch[] = [];
    const transactions = new AbortedFilter(aborted);
    let nextOffset = from.offset;
    for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
      const end = at + LENGTH_END + bytes.readInt32BE(at + LENGTH_AT);
      if (end > bytes.length) break;
      const header = readHeader(bytes.subarray(at, end));
      at = end;
      if (header.lastOffset < from.offset) continue;
      const refusal = refusalOf(header, from);
      if (refusal !== null && nextOffset > from.offset) break;
      if (refusal !== null) throw refusal;
      // Unpacked at once, since taking may not fail: others' records would be lost with it.
      if (transactions.isVisible(header)) batches.push({ header, input: new VarintReader(unpacked(header)) });
      nextOffset = header.lastOffset + 1;
    }
    this.#fromOffset = from.offset;
    this.#position = from.offset;
    this.#batches = batches.filter(({ header }) => header.recordCount > 0);
    this.nextOffset = nextOffset;
  }

  /** Whether all has been taken. */
  get isTaken(): boolean {
    return this.#batch === this.#batches.length;
  }

  /** Offset to read next. */
  get position(): number {
    return this.isTaken ? this.nextOffset : this.#position;
  }

  /** When the record that comes next was appended; −∞ when all has been taken. */
  get nextTimeMs(): number {
    return this.#batches[this.#batch]?.header.maxTimestampMs ?? Number.NEGATIVE_INFINITY;
  }

  /** @returns the next records, at most so many, ending before the first that was appended later than that. */
  take(count: number, upToMs = Number.POSITIVE_INFINITY): LogRecord[] {
    const records: LogRecord[] = [];
    while (records.length < count && !this.isTaken) {
      const { header, input } = this.#batches[this.#batch]!;
      if (header.maxTimestampMs > upToMs) break;
      const length = input.varint();
      const end = input.at + length;
      const offset = header.baseOffset + readOffsetDelta(input);
      if (offset >= this.#fromOffset) records.push(readRecord(input, offset, header.maxTimestampMs));
      this.#position = Math.max(this.#position, offset + 1);
      input.at = end;
      this.#read += 1;
      if (this.#read < header.recordCount) continue;
      this.#batch += 1;
      this.#read = 0;
    }
    return records;
  }
}

interface VisibleBatch {
  readonly header: BatchHeader;
  readonly input: VarintReader;
}

interface BatchHeader {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly magic: number;
  readonly codec: string | undefined;
  readonly isLogAppendTime: boolean;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly maxTimestampMs: number;
  readonly producerId: number;
  readonly recordCount: number;
  /** The records, perhaps packed. */
  readonly body: Buffer;
}

function readHeader(batch: Buffer): BatchHeader {
  const baseOffset = readInt64(batch, 0);
  const attributes = batch.readInt16BE(21);
  return {
    baseOffset,
    lastOffset: baseOffset + batch.readInt32BE(23),
    magic: batch.readInt8(16),
    codec: CODECS[attributes & 0x07],
    isLogAppendTime: (attributes & 0x08) !== 0,
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
    maxTimestampMs: readInt64(batch, 35),
    producerId: readInt64(batch, 43),
    recordCount: batch.readInt32BE(57),
    body: batch.subarray(HEADER_BYTES),
  };
}

function refusalOf(header: BatchHeader, { topic, partition }: TopicPartition): Invalid | null {
  const where = `${topic}/${partition} at offset ${header.baseOffset}`;
  if (header.magic !== 2) {
    return new Invalid('unsupported-format', `${where}: message format ${header.magic}, only 2 can be read`);
  }
  if (!READABLE.includes(header.codec)) {
    const remedy = 'produce with none, gzip or zstd, or set compression.type=zstd on the topic';
    return new Invalid(
      'unsupported-codec',
      `${where}: compressed with ${header.codec ?? 'an unknown codec'}; ${remedy}`,
    );
  }
  if (!header.isLogAppendTime && !header.isControl) {
    const remedy = 'set message.timestamp.type=LogAppendTime on the topic';
    return new Invalid('not-append-time', `${where}: times are the producer's, not the log's; ${remedy}`);
  }
  return null;
}

/** Hides the batches of aborted transactions, and all control batches. Same rule as Kafka's own consumer. */
class AbortedFilter {
  readonly #upcoming: AbortedTransaction[];
  readonly #aborting = new Set<number>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#upcoming = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  isVisible({ isControl, isTransactional, producerId, lastOffset }: BatchHeader): boolean {
    while (this.#upcoming.length > 0 && this.#upcoming[0]!.firstOffset <= lastOffset) {
      this.#aborting.add(this.#upcoming.shift()!.producerId);
    }
    // A producer's transactions come one after the other, so any end marker ends the aborted one.
    if (isControl) this.#aborting.delete(producerId);
    return !isControl && !(isTransactional && this.#aborting.has(producerId));
  }
}

function unpacked({ codec, body }: BatchHeader): Buffer {
  const limits = { maxOutputLength: UNPACKED_BYTES_MAX };
  switch (codec) {
    case 'gzip':
      return gunzipSync(body, limits);
    case 'zstd':
      return zstdDecompressSync(body, limits);
    default:
      return body;
  }
}

function readOffsetDelta(input: VarintReader): number {
  input.at += 1; // attributes, unused by Kafka
  input.skipVarint(); // the producer's time; under LogAppendTime the batch's time holds for all its records
  return input.varint();
}

function readRecord(input: VarintReader, offset: number, appendTimeMs: number): LogRecord {
  const key = input.text();
  const value = input.bytesOrNull();
  const headerCount = input.varint();
  return {
    offset,
    appendTimeMs,
    key,
    value,
    headers: headerCount === 0 ? NO_HEADERS : readHeaders(input, headerCount),
  };
}

/** The last one counts when a name comes twice. */
function readHeaders(input: VarintReader, count: number): LogRecord['headers'] {
  const entries: [string, string][] = [];
  for (let i = 0; i < count; i++) entries.push([input.text() ?? '', input.text() ?? '']);
  // fromEntries defines own properties, so that a header named `__proto__` is a header and nothing else.
  return Object.fromEntries(entries);
}

class VarintReader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Zigzag, 32 bits. */
  varint(): number {
    let value = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = this.#bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    return (value >>> 1) ^ -(value & 1);
  }

  skipVarint(): void {
    while (this.#bytes[this.at++]! >= 0x80);
  }

  bytesOrNull(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  text(): string | null {
    const length = this.varint();
    if (length < 0) return null;
    this.at += length;
    return this.#bytes.toString('utf8', this.at - length, this.at);
  }
}

/** Offsets and times stay far below 2^53. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
}
