/**
 * One partition's file: a header, then frames of records, only ever appended to; a rewrite replaces the whole file.
 * Each frame has its length and CRC-32, so an append is there wholly or not at all: a torn last frame is cut off at
 * open, a damaged one before it is Corrupt. Not here: offsets, limits, readers.
 *
 * Durability: an append has reached the operating system when it returns, so a killed process loses nothing; a power
 * cut may lose the last appends. The file is fsynced at close and at rewrite.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { Corrupt } from '../../core/errors.ts';
import type { LogRecord } from '../log/port.ts';
import { decodeRecords, encodeRecords } from './record-codec.ts';

const MAGIC = 'CRPLOG01';
/** magic, start offset (f64), end offset (f64), CRC-32 of what precedes. */
const HEADER_BYTES = 28;
/** payload length (u32), CRC-32 of the payload. */
const FRAME_BYTES = 8;
const RECORDS_PER_FRAME = 1_000;

export interface SegmentContent {
  readonly start: number;
  readonly end: number;
  readonly records: LogRecord[];
}

export class Segment {
  readonly #path: string;
  #file: number;

  private constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
  }

  static create(path: string): Segment {
    writeWhole(path, { start: 0, end: 0, records: [] });
    return new Segment(path, openSync(path, 'a'));
  }

  static open(path: string): { segment: Segment; content: SegmentContent } {
    const bytes = readFileSync(path);
    const { content, validBytes } = parse(path, bytes);
    const file = openSync(path, 'a');
    if (validBytes < bytes.length) ftruncateSync(file, validBytes);
    return { segment: new Segment(path, file), content };
  }

  append(records: readonly LogRecord[]): void {
    writeAll(this.#file, frame(records));
  }

  /** Replaces what the file holds; a crash leaves either the old file or the new one. */
  rewrite(content: SegmentContent): void {
    closeSync(this.#file);
    writeWhole(this.#path, content);
    this.#file = openSync(this.#path, 'a');
  }

  close(): void {
    fsyncSync(this.#file);
    closeSync(this.#file);
  }
}

function parse(path: string, bytes: Buffer): { content: SegmentContent; validBytes: number } {
  const headerIsSound =
    bytes.length >= HEADER_BYTES &&
    bytes.toString('latin1', 0, MAGIC.length) === MAGIC &&
    bytes.readUInt32BE(HEADER_BYTES - 4) === crc32(bytes.subarray(0, HEADER_BYTES - 4));
  if (!headerIsSound) throw new Corrupt('segment-header', `${path} does not begin with a sound ${MAGIC} header`);
  const start = bytes.readDoubleBE(MAGIC.length);
  const records: LogRecord[] = [];
  let at = HEADER_BYTES;
  while (at + FRAME_BYTES <= bytes.length) {
    const next = at + FRAME_BYTES + bytes.readUInt32BE(at);
    if (next > bytes.length) break;
    const payload = bytes.subarray(at + FRAME_BYTES, next);
    if (bytes.readUInt32BE(at + 4) !== crc32(payload)) {
      if (next === bytes.length) break;
      throw new Corrupt('segment-frame', `${path} is damaged at byte ${at}, before its end at ${bytes.length}`);
    }
    for (const record of decodeRecords(payload)) records.push(record);
    at = next;
  }
  const end = Math.max(bytes.readDoubleBE(MAGIC.length + 8), (records.at(-1)?.offset ?? -1) + 1);
  return { content: { start, end, records }, validBytes: at };
}

function writeWhole(path: string, { start, end, records }: SegmentContent): void {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  header.writeDoubleBE(start, MAGIC.length);
  header.writeDoubleBE(end, MAGIC.length + 8);
  header.writeUInt32BE(crc32(header.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4);
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w');
  writeAll(file, header);
  for (let i = 0; i < records.length; i += RECORDS_PER_FRAME) {
    writeAll(file, frame(records.slice(i, i + RECORDS_PER_FRAME)));
  }
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** Makes a rename or a new file in the folder survive a power cut. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function frame(records: readonly LogRecord[]): Buffer {
  const bytes = encodeRecords(records, FRAME_BYTES);
  bytes.writeUInt32BE(bytes.length - FRAME_BYTES, 0);
  bytes.writeUInt32BE(crc32(bytes.subarray(FRAME_BYTES)), 4);
  return bytes;
}

function writeAll(file: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}
