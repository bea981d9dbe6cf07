/**
 * One segment: a file that is written once, front to back, through a piece of memory as large as itself. Owns the file and,
 * while it is among the newest, the memory.
 *
 *     0 magic   4 number   8 slot   12 format   16 records …   the due table's pages   trailer: end of records, pages, checksum, magic
 */
import { closeSync, fdatasync, fstatSync, openSync, readSync, truncateSync, write } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SegmentSummary } from './checkpoint.ts';
import { type DueRow, GrowingDues, type IsCurrent, SealedDues } from './due-table.ts';
import { refused, unreadable } from './errors.ts';
import { alignedTo8, Bytes } from './record.ts';

/** What a place can tell apart. */
export const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;
export const SEGMENT_HEADER_BYTES = 16;
const TRAILER_BYTES = 16;
const MAGIC = 0x31_67_65_73;
const SEALED_MAGIC = 0x31_64_6c_73;
const FORMAT = 3;
/**
 * Of one write. For 2 MiB and more Linux caches them in huge pages, which a virtual machine may have to be given by its host
 * first: 3 ms of CPU a MB instead of .3.
 */
const WRITE_BYTES_MAX = 2 ** 20;

const writeAt = promisify(write);
const sync = promisify(fdatasync);

export interface SegmentPlace {
  readonly folder: string;
  /** Ascending with age; also its name. */
  readonly number: number;
  /** Its part of each place; used again when it is gone. */
  readonly slot: number;
}

export class Segment {
  readonly number: number;
  readonly slot: number;
  readonly path: string;
  /** All of it, while it is kept; segments that are written to have it. */
  memory: Bytes | null;
  /** Where the records end. */
  end: number;
  /** Records in it that were put. */
  records = 0;
  /** Those of them that still count. */
  live = 0;
  /** Nothing in it counts any more: it goes with the next checkpoint. */
  isEmptied = false;
  private growing: GrowingDues | null = null;
  private sealed: SealedDues | null = null;
  private pages: Bytes | null = null;
  private written = 0;
  private fd: number | null = null;

  private constructor({ folder, number, slot }: SegmentPlace, memory: Bytes | null, end: number) {
    this.number = number;
    this.slot = slot;
    this.path = segmentPath(folder, number);
    this.memory = memory;
    this.end = end;
  }

  /** @param memory as much as the segment may have. */
  static begin(place: SegmentPlace, memory: Bytes): Segment {
    const segment = new Segment(place, memory, SEGMENT_HEADER_BYTES);
    memory.words.set([MAGIC, place.number, place.slot, FORMAT]);
    segment.growing = new GrowingDues();
    return segment;
  }

  /** Goes on with one from where it counts; what its file has beyond goes. */
  static resume(place: SegmentPlace, memory: Bytes, end: number, dues: GrowingDues): Segment {
    const segment = new Segment(place, memory, end);
    truncateSync(segment.path, end);
    segment.growing = dues;
    segment.written = end;
    return segment;
  }

  /** @throws Corrupt when it is not a whole segment. */
  static openSealed(place: SegmentPlace): Segment {
    const segment = new Segment(place, null, 0);
    const trailer = readTrailer(segment.descriptor(), place.number);
    if (trailer === null) throw unreadable(`segment ${place.number} was not sealed`);
    segment.end = trailer.end;
    segment.sealAt(trailer.end, trailer.pagesLength);
    return segment;
  }

  addDue(row: DueRow): void {
    this.growing!.add(row);
  }

  /** Gives rows that are due and current, each once. */
  takeDue(upTo: number, isCurrent: IsCurrent): Generator<DueRow> {
    return this.growing?.take(upTo, isCurrent) ?? this.sealed!.take(upTo, isCurrent);
  }

  /** Ends its growth; it is not on disk before `write`. */
  seal(): void {
    this.pages = this.growing!.toPages();
    this.growing = null;
    this.sealAt(this.end, this.pages.buffer.length);
  }

  private sealAt(end: number, pagesLength: number): void {
    this.sealed = new SealedDues(pagesLength, (at, into) => {
      if (this.pages === null) this.read(end + at, into, into.buffer.length);
      else this.pages.buffer.copy(into.buffer, 0, at, at + into.buffer.length);
    });
  }

  /** Brings to disk what came since the last time. @throws Error of the disk. */
  async write(): Promise<void> {
    const { memory, end, pages } = this;
    const parts = [memory!.buffer.subarray(this.written, end)];
    if (pages !== null) parts.push(pages.buffer, trailer(end, pages.buffer.length));
    if (this.fd === null) this.fd = openSync(this.path, this.written === 0 ? 'w+' : 'r+');
    let at = this.written;
    for (const piece of parts.flatMap(inPieces)) {
      const { bytesWritten } = await writeAt(this.fd, piece, 0, piece.length, at);
      if (bytesWritten < piece.length)
        throw new Error(`${this.path} took ${bytesWritten} of ${piece.length} bytes at ${at}; is the disk full?`);
      at += piece.length;
    }
    this.written = end;
    this.pages = null;
  }

  isGrowing(): boolean {
    return this.growing !== null;
  }

  /** Whether anything stands in it. */
  isEmpty(): boolean {
    return this.end === SEGMENT_HEADER_BYTES;
  }

  /** Reads so many bytes from there, or as many as the file has. @returns how many. */
  read(at: number, into: Bytes, length: number): number {
    try {
      return readSync(this.descriptor(), into.buffer, 0, length, at);
    } catch (error) {
      throw refused(this.path, error);
    }
  }

  /** Has the machine bring to disk what was written. @throws Error of the disk. */
  async flush(): Promise<void> {
    await sync(this.descriptor());
  }

  summary(): SegmentSummary {
    const { number, slot, records, live } = this;
    return { number, slot, records, live };
  }

  close(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }

  async remove(): Promise<void> {
    this.close();
    await rm(this.path, { force: true });
  }

  private descriptor(): number {
    this.fd ??= openToRead(this.path);
    return this.fd;
  }
}

export function segmentPath(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(10, '0')}.segment`);
}

/** What a segment's file has. */
export interface SegmentFile {
  readonly bytes: Bytes;
  /** Bytes of the file that may be records. */
  readonly end: number;
  readonly slot: number;
  readonly isSealed: boolean;
}

/** Reads a whole file into as much memory as a segment has. @returns `null` when it does not begin as that segment. */
export function readSegmentFile(folder: string, number: number, segmentBytes: number): SegmentFile | null {
  const fd = openToRead(segmentPath(folder, number));
  try {
    const trailer = readTrailer(fd, number);
    const bytes = new Bytes(Math.max(segmentBytes, alignedTo8(trailer?.end ?? 0)));
    const end = readSync(fd, bytes.buffer, 0, trailer?.end ?? segmentBytes, 0);
    const [magic, name, slot, format] = bytes.words;
    if (end < SEGMENT_HEADER_BYTES || magic !== MAGIC || name !== number || format !== FORMAT) return null;
    return { bytes, end, slot: slot!, isSealed: trailer !== null };
  } finally {
    closeSync(fd);
  }
}

function inPieces(bytes: Buffer): Buffer[] {
  const count = Math.ceil(bytes.length / WRITE_BYTES_MAX);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * WRITE_BYTES_MAX, (i + 1) * WRITE_BYTES_MAX));
}

function trailer(end: number, pagesLength: number): Buffer {
  const bytes = new Bytes(TRAILER_BYTES);
  bytes.words.set([end, pagesLength, end ^ pagesLength ^ SEALED_MAGIC, SEALED_MAGIC]);
  return bytes.buffer;
}

function readTrailer(fd: number, number: number): { readonly end: number; readonly pagesLength: number } | null {
  const { size } = fstatSync(fd);
  if (size < SEGMENT_HEADER_BYTES + TRAILER_BYTES) return null;
  const bytes = new Bytes(TRAILER_BYTES);
  readSync(fd, bytes.buffer, 0, TRAILER_BYTES, size - TRAILER_BYTES);
  const [end, pagesLength, check, magic] = bytes.words as unknown as [number, number, number, number];
  if (magic !== SEALED_MAGIC || check !== (end ^ pagesLength ^ SEALED_MAGIC) >>> 0) return null;
  if (end + pagesLength + TRAILER_BYTES !== size)
    throw unreadable(`segment ${number} has ${size} bytes, not as sealed`);
  return { end, pagesLength };
}

function openToRead(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw refused(path, error);
  }
}
