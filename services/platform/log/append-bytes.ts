/**
 * The size of an append as Kafka counts it: the bytes of one uncompressed record batch, format 2. Both adapters refuse
 * by this number, and callers cut their work by it, so a batch that fits one log fits the other.
 * Source: https://kafka.apache.org/documentation/#recordbatch
 */
import type { AppendRecord } from './port.ts';

const BATCH_HEADER_BYTES = 61;

/** No topic accepts more than this in one append, whatever its own limit: a broker closes the line at 100 MiB. */
export const APPEND_BYTES_MAX = 64 * 1024 * 1024;

/** @returns bytes that these records take as one append. */
export function appendBytes(records: readonly AppendRecord[]): number {
  let bytes = BATCH_HEADER_BYTES;
  records.forEach((record, index) => {
    const body = recordBodyBytes(record, index);
    bytes += varintBytes(body) + body;
  });
  return bytes;
}

function recordBodyBytes({ key, value, headers }: AppendRecord, index: number): number {
  const attributesAndTimeDelta = 2;
  let bytes = attributesAndTimeDelta + varintBytes(index);
  bytes += key === null ? 1 : sized(Buffer.byteLength(key));
  bytes += value === null ? 1 : sized(value.length);
  const entries = headers === undefined ? [] : Object.entries(headers);
  bytes += varintBytes(entries.length);
  for (const [name, text] of entries) bytes += sized(Buffer.byteLength(name)) + sized(Buffer.byteLength(text));
  return bytes;
}

function sized(length: number): number {
  return varintBytes(length) + length;
}

/** Zigzag doubles a count; each byte carries seven bits. */
function varintBytes(count: number): number {
  let bytes = 1;
  for (let rest = count * 2; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}
