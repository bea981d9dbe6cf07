/**
 * The store port: an ordered, durable map of small values with one atomic commit. One store belongs to one
 * input partition; what it holds is always a cache that the log can rebuild.
 */

export interface StoreCommit {
  readonly puts: readonly (readonly [key: string, value: Buffer])[];
  readonly deletes: readonly string[];
}

/**
 * Reading throws Corrupt `store-unreadable` when what is stored cannot be read: destroy the store then and rebuild it.
 */
export interface Store {
  /** @returns values in the order of the keys, `undefined` where there is none. */
  getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]>;
  /** @returns entries with from ≤ key < to in the order of `compareKeys`, at most `limit`. */
  range(from: string, to: string, limit: number): Promise<[key: string, value: Buffer][]>;
  /** All of it or nothing. @throws Unavailable when the disk refuses (full, gone). */
  commit(commit: StoreCommit): Promise<void>;
  /** Empties the store. */
  clear(): Promise<void>;
  close(): Promise<void>;
  /** Closes the store and removes what it holds, in whatever state that is. */
  destroy(): Promise<void>;
}

const SURROGATES_FROM = 0xd800;
const SURROGATES_TO = 0xe000;

/** The order of keys: bytewise as UTF-8, which is by code point, where JavaScript compares UTF-16 units. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Units of a pair stand for code points above all those of one unit. */
function rank(unit: number): number {
  return unit >= SURROGATES_FROM && unit < SURROGATES_TO ? unit + 0x1_0000 : unit;
}
