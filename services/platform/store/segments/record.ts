/**
 * The records of a segment: how each stands in the bytes, and whether it is what was written. Aligned to 8 bytes, so that
 * checking one goes by words. In the machine's byte order: a store is read where it was written.
 *
 *     0 seal   4 length   8 place of the unit's record before this one, or 0
 *     12 key length | mark << 16 | kind << 28   16 due; of a unit that is no more its tag; of a commit its number
 *     24 key, value, zeros up to the next 8
 *
 * The seal is a checksum of all from 12 on, with length and place.
 */

import { assert } from '../../../core/errors.ts';
import { tagOf, tagOfAscii } from './place-index.ts';

export const RECORD_HEADER_BYTES = 24;

export const UNIT = 1;
/** The unit is no more: known by its tag and its prior place, so that it need not be read to say so. */
export const GONE = 2;
/** One of the few entries with a name. */
export const NAMED = 3;
/** All records up to here, since the last of its kind, are one commit. */
export const COMMIT = 4;
/** The name is no more. */
export const UNNAMED = 5;
export type RecordKind = typeof UNIT | typeof GONE | typeof NAMED | typeof COMMIT | typeof UNNAMED;

/** A piece of memory, seen as each of what records are made of. */
export class Bytes {
  readonly buffer: Buffer;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;

  /** @param length a multiple of 8. */
  constructor(length: number) {
    const memory = new ArrayBuffer(length);
    this.buffer = Buffer.from(memory);
    this.words = new Uint32Array(memory);
    this.doubles = new Float64Array(memory);
  }
}

export function alignedTo8(length: number): number {
  return (length + 7) & ~7;
}

export function lengthAt({ words }: Bytes, at: number): number {
  return words[(at >>> 2) + 1]!;
}

export function priorAt({ words }: Bytes, at: number): number {
  return words[(at >>> 2) + 2]!;
}

export function kindAt({ words }: Bytes, at: number): RecordKind {
  return (words[(at >>> 2) + 3]! >>> 28) as RecordKind;
}

export function markAt({ words }: Bytes, at: number): number {
  return (words[(at >>> 2) + 3]! >>> 16) & 0xfff;
}

/** When a unit is due, the tag of one that is no more, or the number of a commit. */
export function dueAt({ doubles }: Bytes, at: number): number {
  return doubles[(at >>> 3) + 2]!;
}

export function keyAt(bytes: Bytes, at: number): string {
  const start = at + RECORD_HEADER_BYTES;
  return bytes.buffer.toString('utf8', start, start + keyLengthAt(bytes, at));
}

/** @returns the tag of the key. */
export function tagAt(bytes: Bytes, at: number): number {
  const start = at + RECORD_HEADER_BYTES;
  const end = start + keyLengthAt(bytes, at);
  for (let i = start; i < end; i++) if (bytes.buffer[i]! >= 0x80) return tagOf(keyAt(bytes, at));
  return tagOfAscii(bytes.buffer, start, end);
}

/** @returns a view, which changes as the memory does. */
export function valueAt(bytes: Bytes, at: number): Buffer {
  return bytes.buffer.subarray(at + RECORD_HEADER_BYTES + keyLengthAt(bytes, at), at + lengthAt(bytes, at));
}

export function hasKey(bytes: Bytes, at: number, key: string): boolean {
  const { buffer } = bytes;
  const start = at + RECORD_HEADER_BYTES;
  const length = keyLengthAt(bytes, at);
  // Text beyond ASCII takes more bytes than it has units.
  if (length !== key.length) return length > key.length && keyAt(bytes, at) === key;
  for (let i = 0; i < length; i++) {
    const unit = key.charCodeAt(i);
    if (unit >= 0x80 || buffer[start + i] !== unit) return false;
  }
  return true;
}

/** Whether records of the kind say what something is, not that it is gone. */
export function hasValue(kind: number): boolean {
  return kind === UNIT || kind === NAMED;
}

/** Whether the bytes at hand have a whole record here, and it is as it was written. */
export function isIntact(bytes: Bytes, at: number, end: number): boolean {
  return isWhole(bytes, at, end) && bytes.words[at >>> 2] === sealOf(bytes.words, at, lengthAt(bytes, at));
}

/** Whether the bytes at hand have something of a record's form here, which may be damaged. */
export function isWhole(bytes: Bytes, at: number, end: number): boolean {
  if (at + RECORD_HEADER_BYTES > end) return false;
  const length = lengthAt(bytes, at);
  return length >= RECORD_HEADER_BYTES + keyLengthAt(bytes, at) && at + alignedTo8(length) <= end;
}

export interface RecordFields {
  readonly kind: RecordKind;
  readonly prior: number;
  readonly due: number;
  readonly mark: number;
  readonly key: string;
  readonly value: Uint8Array;
}

/** Of a key, in bytes. */
const KEY_BYTES_MAX = 0xffff;

/** @returns the most bytes that a record of these may take, aligned. */
export function recordBytesMax({ key, value }: Pick<RecordFields, 'key' | 'value'>): number {
  return alignedTo8(RECORD_HEADER_BYTES + key.length * 3 + value.length);
}

/** Writes a record. @returns its length, not aligned. */
export function writeRecord(bytes: Bytes, at: number, { kind, prior, due, mark, key, value }: RecordFields): number {
  const { buffer, words, doubles } = bytes;
  const start = at + RECORD_HEADER_BYTES;
  const keyLength = writeText(buffer, start, key);
  assert(keyLength <= KEY_BYTES_MAX, `a key of ${keyLength} bytes to store, allowed ${KEY_BYTES_MAX}`);
  const length = RECORD_HEADER_BYTES + keyLength + value.length;
  const end = at + alignedTo8(length);
  doubles[(end >>> 3) - 1] = 0;
  // The key may reach into the last word.
  if (end - 8 < start + keyLength) writeText(buffer, start, key);
  buffer.set(value, start + keyLength);
  words[(at >>> 2) + 1] = length;
  words[(at >>> 2) + 2] = prior;
  words[(at >>> 2) + 3] = keyLength | (mark << 16) | (kind << 28);
  doubles[(at >>> 3) + 2] = due;
  words[at >>> 2] = sealOf(words, at, length);
  return length;
}

/** Copies an intact record, and gives it another prior place. @returns its length, aligned. */
export function copyRecord(from: Bytes, fromAt: number, to: Bytes, toAt: number, prior: number): number {
  const length = alignedTo8(lengthAt(from, fromAt));
  const words = to.words;
  words.set(from.words.subarray(fromAt >>> 2, (fromAt + length) >>> 2), toAt >>> 2);
  words[toAt >>> 2] = (words[toAt >>> 2]! ^ sealOfPrior(priorAt(to, toAt)) ^ sealOfPrior(prior)) >>> 0;
  words[(toAt >>> 2) + 2] = prior;
  return length;
}

/** What a record begins with, so that one that is copied to another place need not be gone through again. */
function sealOf(words: Uint32Array, at: number, length: number): number {
  const end = (at + alignedTo8(length)) >>> 2;
  const rest = checksum(words, (at >>> 2) + 3, end);
  return (rest ^ sealOfPrior(words[(at >>> 2) + 2]!) ^ Math.imul(length, PRIME_3)) >>> 0;
}

function sealOfPrior(prior: number): number {
  return Math.imul(prior ^ (prior >>> 15), PRIME_2);
}

function keyLengthAt({ words }: Bytes, at: number): number {
  return words[(at >>> 2) + 3]! & 0xffff;
}

function writeText(buffer: Buffer, start: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return buffer.write(text, start, 'utf8');
    buffer[start + i] = unit;
  }
  return text.length;
}

/** Source: xxHash, XXH32 with seed 0, over words: four lanes, which a processor works on side by side. */
export function checksum(words: Uint32Array, from: number, to: number): number {
  let at = from;
  let hash = PRIME_5;
  if (to - from >= 4) {
    let [a, b, c, d] = [PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1];
    for (; at + 4 <= to; at += 4) {
      a = lane(a, words[at]!);
      b = lane(b, words[at + 1]!);
      c = lane(c, words[at + 2]!);
      d = lane(d, words[at + 3]!);
    }
    hash = rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18);
  }
  hash = (hash + (to - from) * 4) | 0;
  for (; at < to; at++) hash = Math.imul(rotated(hash + Math.imul(words[at]!, PRIME_3), 17), PRIME_4);
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const PRIME_1 = 0x9e3779b1 | 0;
const PRIME_2 = 0x85ebca77 | 0;
const PRIME_3 = 0xc2b2ae3d | 0;
const PRIME_4 = 0x27d4eb2f | 0;
const PRIME_5 = 0x165667b1 | 0;

function lane(sum: number, word: number): number {
  return Math.imul(rotated(sum + Math.imul(word, PRIME_2), 13), PRIME_1);
}

/** @returns the lower 32 bits of a sum, turned to the left. */
function rotated(sum: number, bits: number): number {
  return (sum << bits) | (sum >>> (32 - bits));
}
