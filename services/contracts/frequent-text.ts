/**
 * Texts that come again and again, the names of arms, experiments and metrics: found by their bytes, they need not be decoded,
 * and one text stands for all that are alike. Owns a table of so many texts, each in the place of the one before.
 */
const FREQUENT = 1_024;
const frequent: string[] = new Array(FREQUENT).fill('');

/** @returns what `bytes.toString('utf8', at, at + length)` does. */
export function frequentText(bytes: Buffer, at: number, length: number): string {
  let hash = length;
  for (let i = at; i < at + length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  const slot = (hash ^ (hash >>> 15)) & (FREQUENT - 1);
  const known = frequent[slot]!;
  if (known.length === length && isAsciiText(bytes, at, known)) return known;
  const decoded = bytes.toString('utf8', at, at + length);
  frequent[slot] = decoded;
  return decoded;
}

/** Whether the bytes from there on are that text in ASCII; compared from the end, since ids made within a minute begin alike. */
export function isAsciiText(bytes: Buffer, at: number, text: string): boolean {
  for (let i = text.length - 1; i >= 0; i--) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80 || bytes[at + i] !== unit) return false;
  }
  return true;
}
