/**
 * Records as the bytes of a segment's frame. One after the other: offset and append time (f64), key, value, header
 * count (u16), then each header's name and text; each text or value is its length (i32, −1 for null) and its bytes.
 */
import type { LogRecord } from '../log/port.ts';

const NO_HEADERS: LogRecord['headers'] = Object.freeze({});

/** @returns a buffer with `reservedBytes` left free in front. */
export function encodeRecords(records: readonly LogRecord[], reservedBytes: number): Buffer {
  let size = reservedBytes;
  for (const record of records) size += encodedBytes(record);
  const out = { bytes: Buffer.allocUnsafe(size), at: reservedBytes };
  for (const record of records) writeRecord(out, record);
  return out.bytes;
}

export function* decodeRecords(bytes: Buffer): Generator<LogRecord> {
  const input = { bytes, at: 0 };
  while (input.at < bytes.length) yield readRecord(input);
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

function encodedBytes({ key, value, headers }: LogRecord): number {
  let size = 8 + 8 + 4 + 4 + 2 + (key === null ? 0 : Buffer.byteLength(key)) + (value?.length ?? 0);
  for (const [name, text] of Object.entries(headers)) size += 8 + Buffer.byteLength(name) + Buffer.byteLength(text);
  return size;
}

function writeRecord(out: Cursor, { offset, appendTimeMs, key, value, headers }: LogRecord): void {
  out.at = out.bytes.writeDoubleBE(offset, out.at);
  out.at = out.bytes.writeDoubleBE(appendTimeMs, out.at);
  writeText(out, key);
  out.at = out.bytes.writeInt32BE(value?.length ?? -1, out.at);
  if (value !== null) out.at += value.copy(out.bytes, out.at);
  const entries = Object.entries(headers);
  out.at = out.bytes.writeUInt16BE(entries.length, out.at);
  for (const [name, text] of entries) {
    writeText(out, name);
    writeText(out, text);
  }
}

function writeText(out: Cursor, text: string | null): void {
  const length = text === null ? -1 : Buffer.byteLength(text);
  out.at = out.bytes.writeInt32BE(length, out.at);
  if (text !== null) out.at += out.bytes.write(text, out.at);
}

function readRecord(input: Cursor): LogRecord {
  const offset = input.bytes.readDoubleBE(input.at);
  const appendTimeMs = input.bytes.readDoubleBE(input.at + 8);
  input.at += 16;
  const key = readBytes(input)?.toString() ?? null;
  const value = readBytes(input);
  return { offset, appendTimeMs, key, value, headers: readHeaders(input) };
}

function readHeaders(input: Cursor): LogRecord['headers'] {
  const count = input.bytes.readUInt16BE(input.at);
  input.at += 2;
  if (count === 0) return NO_HEADERS;
  const entries: [string, string][] = [];
  for (let i = 0; i < count; i++) {
    entries.push([readBytes(input)?.toString() ?? '', readBytes(input)?.toString() ?? '']);
  }
  // fromEntries defines own properties, so that a header named `__proto__` is a header and nothing else.
  return Object.fromEntries(entries);
}

function readBytes(input: Cursor): Buffer | null {
  const length = input.bytes.readInt32BE(input.at);
  input.at += 4;
  if (length < 0) return null;
  const bytes = input.bytes.subarray(input.at, input.at + length);
  input.at += length;
  return bytes;
}
