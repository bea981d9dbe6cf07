/**
 * The Confluent wire format: a zero byte, the writer schema's id as four bytes big-endian, then the Avro bytes.
 * Not here: what the id means (codec.ts).
 */
import { refuse } from './refusals.ts';

const MAGIC = 0;
/** Before the Avro bytes. */
export const HEADER_BYTES = 5;

export function frame(schemaId: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes.writeUInt8(MAGIC, 0);
  bytes.writeUInt32BE(schemaId, 1);
  payload.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** @returns the writer schema's id. @throws Invalid `bad-magic`. */
export function writerIdOf(bytes: Buffer): number {
  const schemaId = schemaIdOf(bytes);
  if (schemaId !== null) return schemaId;
  refuse(
    'bad-magic',
    `bytes begin with ${bytes.subarray(0, HEADER_BYTES).toString('hex') || 'nothing'}, not with 00 and a schema id of four bytes`,
  );
}

/** @returns `null` when these bytes are not in the wire format. */
export function schemaIdOf(bytes: Buffer): number | null {
  return bytes.length < HEADER_BYTES || bytes[0] !== MAGIC ? null : bytes.readUInt32BE(1);
}
