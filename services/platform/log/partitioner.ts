/**
 * Which partition a key belongs to: murmur2 over its UTF-8 bytes, as Kafka's Java client and kafkajs do it, so that
 * producers in any language put a unit's decisions and rewards side by side.
 * Source: org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey.
 */
import { assert } from '../../core/errors.ts';

const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;
const ROTATION = 24;

/** @returns a partition in [0, count). */
export function partitionOf(key: string, count: number): number {
  assert(Number.isSafeInteger(count) && count > 0, `partition count must be a positive integer, got ${count}`);
  return (murmur2(scratch, encode(key)) & 0x7fffffff) % count;
}

let scratch = Buffer.alloc(1_024);

/** @returns how many bytes of the scratch the key takes. */
function encode(key: string): number {
  if (key.length * 3 > scratch.length) scratch = Buffer.alloc(key.length * 3);
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    if (unit >= 0x80) return scratch.write(key);
    scratch[i] = unit;
  }
  return key.length;
}

/** @returns the hash as a signed 32-bit integer. */
export function murmur2(bytes: Uint8Array, length = bytes.length): number {
  let hash = SEED ^ length;
  const whole = length - (length % 4);
  for (let i = 0; i < whole; i += 4) {
    let word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    word = Math.imul(word, MIX);
    word ^= word >>> ROTATION;
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX);
  }
  if (length % 4 === 3) hash ^= bytes[whole + 2]! << 16;
  if (length % 4 >= 2) hash ^= bytes[whole + 1]! << 8;
  if (length % 4 >= 1) hash = Math.imul(hash ^ bytes[whole]!, MIX);
  hash = Math.imul(hash ^ (hash >>> 13), MIX);
  return hash ^ (hash >>> 15);
}
