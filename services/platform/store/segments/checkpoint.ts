/**
 * The checkpoint: the index as of one commit, so that opening the store reads only what came after. A segment that does not
 * count any more is removed only after a checkpoint without it. Owns the file `checkpoint`.
 *
 *     0 checksum of the rest   4 bytes of JSON   8 slots of the index   12 zero   16 JSON, zeros to 8   tags   places
 */
import { readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { refused, unreadable } from './errors.ts';
import { PlaceIndex } from './place-index.ts';
import { alignedTo8 } from './record.ts';

export interface SegmentSummary {
  readonly number: number;
  readonly slot: number;
  readonly records: number;
  readonly live: number;
}

export interface Checkpoint {
  readonly commits: number;
  readonly sealed: readonly SegmentSummary[];
  /** The segment that was written to, and how far. */
  readonly active: SegmentSummary & { readonly end: number };
  readonly named: readonly (readonly [name: string, place: number])[];
  readonly index: PlaceIndex;
}

const HEADER_BYTES = 16;
/** The list of segments grows from one checkpoint to the next. */
const SPARE = 1.1;

/**
 * @param last done with: written over where it is large enough, since the collector is slow to give back what is so large.
 * @returns the bytes of a checkpoint, which nothing that is put later changes.
 */
export function encodeCheckpoint(last: Buffer<ArrayBuffer>, { index, ...rest }: Checkpoint): Buffer<ArrayBuffer> {
  const json = Buffer.from(JSON.stringify({ ...rest, units: index.size }));
  const tagsAt = HEADER_BYTES + alignedTo8(json.length);
  const tableBytes = index.tags.byteLength;
  const length = tagsAt + 2 * tableBytes;
  const isRoomy = last.buffer.byteLength >= length;
  const bytes = Buffer.from(isRoomy ? last.buffer : new ArrayBuffer(Math.ceil(length * SPARE)), 0, length);
  bytes.fill(0, 0, tagsAt);
  bytes.writeUInt32LE(json.length, 4);
  bytes.writeUInt32LE(index.tags.length, 8);
  json.copy(bytes, HEADER_BYTES);
  bytes.set(new Uint8Array(index.tags.buffer), tagsAt);
  bytes.set(new Uint8Array(index.places.buffer), tagsAt + tableBytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/** Takes the place of the one before, as a whole. @throws Error of the file system. */
export async function writeCheckpoint(folder: string, bytes: Buffer): Promise<void> {
  const path = pathOf(folder);
  await writeFile(`${path}.new`, bytes, { flush: true });
  await rename(`${path}.new`, path);
}

/** @returns `null` when there is none. @throws Corrupt when it is not what was written. */
export function readCheckpoint(folder: string): Checkpoint | null {
  const bytes = fileIn(folder);
  if (bytes === null) return null;
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== crc32(bytes.subarray(4))) {
    throw unreadable('its checkpoint is not what was written');
  }
  const jsonEnd = HEADER_BYTES + bytes.readUInt32LE(4);
  const { units, ...rest } = JSON.parse(bytes.toString('utf8', HEADER_BYTES, jsonEnd)) as Omit<Checkpoint, 'index'> & {
    readonly units: number;
  };
  const slots = bytes.readUInt32LE(8);
  const tagsAt = HEADER_BYTES + alignedTo8(jsonEnd - HEADER_BYTES);
  const table = (at: number): Uint32Array =>
    new Uint32Array(Uint8Array.from(bytes.subarray(at, at + slots * 4)).buffer);
  return { ...rest, index: PlaceIndex.from(table(tagsAt), table(tagsAt + slots * 4), units) };
}

export async function removeCheckpoint(folder: string): Promise<void> {
  await rm(pathOf(folder), { force: true });
  await rm(`${pathOf(folder)}.new`, { force: true });
}

function fileIn(folder: string): Buffer | null {
  try {
    return readFileSync(pathOf(folder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw refused(pathOf(folder), error);
  }
}

function pathOf(folder: string): string {
  return join(folder, 'checkpoint');
}
