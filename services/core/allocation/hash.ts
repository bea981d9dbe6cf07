/**
 * The draw: a number in [0, 1) that depends on nothing but a salt and a unit, the same in every language.
 * MurmurHash3 x86 128-bit (Austin Appleby, public domain) of the UTF-8 bytes; its first 53 bits make the number, so that
 * no probability is too small to be dealt. Golden cases: schemas/vectors/draw.json.
 */

export type Hash128 = readonly [number, number, number, number];

const encoder = new TextEncoder();
/** Scratch, grown when a longer string comes; holds nothing between calls. */
let bytes = new Uint8Array(1024);
const words = new Uint32Array(4);

/** @returns the four 32-bit words of the hash, in its own order. */
export function murmur3(text: string, seed: number): Hash128 {
  reserve(text.length);
  hashBytes(write(text, 0), seed);
  return [words[0]!, words[1]!, words[2]!, words[3]!];
}

/** The first 53 bits (32 of the first word, the upper 21 of the second) of the hash of salt, U+0000, unit, with seed 0. */
export function uniform53(salt: string, unit: string): number {
  reserve(salt.length + 1 + unit.length);
  const separator = write(salt, 0);
  bytes[separator] = 0;
  hashBytes(write(unit, separator + 1), 0);
  return (words[0]! * 2 ** 21 + (words[1]! >>> 11)) / 2 ** 53;
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

/** Of the first bytes, into `words`. */
function hashBytes(length: number, seed: number): void {
  let h1 = seed | 0;
  let h2 = h1;
  let h3 = h1;
  let h4 = h1;
  const whole = length - (length % 16);
  for (let at = 0; at < whole; at += 16) {
    h1 ^= mix(word(at), C1, 15, C2);
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= mix(word(at + 4), C2, 16, C3);
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= mix(word(at + 8), C3, 17, C4);
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= mix(word(at + 12), C4, 18, C1);
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  // The tail is padded with zero bytes; an absent word mixes to 0 and so changes nothing.
  bytes.fill(0, length, whole + 16);
  h4 ^= mix(word(whole + 12), C4, 18, C1);
  h3 ^= mix(word(whole + 8), C3, 17, C4);
  h2 ^= mix(word(whole + 4), C2, 16, C3);
  h1 ^= mix(word(whole), C1, 15, C2);
  finish(h1 ^ length, h2 ^ length, h3 ^ length, h4 ^ length);
}

/** Adds all four together, mixes each, and adds again, into `words`. */
function finish(a: number, b: number, c: number, d: number): void {
  const sum = a + b + c + d;
  const h2 = avalanche(b + sum);
  const h3 = avalanche(c + sum);
  const h4 = avalanche(d + sum);
  const h1 = avalanche(sum) + h2 + h3 + h4;
  words[0] = h1;
  words[1] = h2 + h1;
  words[2] = h3 + h1;
  words[3] = h4 + h1;
}

/** Room for so many UTF-16 code units in UTF-8 and a block of padding. */
function reserve(codeUnits: number): void {
  const most = codeUnits * 3 + 16;
  if (bytes.length < most) bytes = new Uint8Array(most);
}

/** A text in UTF-8 into `bytes`. @returns where it ends. */
function write(text: string, at: number): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Beyond ASCII the encoder takes over; not always, since its answer and the window are objects.
    if (code > 0x7f) return at + encoder.encodeInto(text, bytes.subarray(at)).written;
    bytes[at + i] = code;
  }
  return at + text.length;
}

function word(at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

function mix(block: number, first: number, bits: number, second: number): number {
  return Math.imul(rotate(Math.imul(block, first), bits), second);
}

function avalanche(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
