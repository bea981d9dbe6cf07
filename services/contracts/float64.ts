/** Vectors of float64 as little-endian bytes, whatever the machine. */
import { endianness } from 'node:os';
import { refuse } from './refusals.ts';

const SWAP = endianness() === 'BE';

/** @returns a copy, 8 bytes a number. */
export function float64Bytes(values: Float64Array): Buffer {
  const bytes = Buffer.from(values.slice().buffer);
  return SWAP ? bytes.swap64() : bytes;
}

/** @returns a copy, aligned. @throws Invalid `contradictory` when the bytes are no whole count of numbers. */
export function float64Values(name: string, bytes: Buffer): Float64Array {
  if (bytes.length % 8 !== 0) refuse('contradictory', `${name} has ${bytes.length} bytes, allowed multiples of 8`);
  const copy = Uint8Array.from(bytes);
  if (SWAP) Buffer.from(copy.buffer).swap64();
  return new Float64Array(copy.buffer);
}
