/**
 * The store port: an ordered, durable map of small values with one atomic commit. One store belongs to one
 * input partition; what it holds is always a cache that the log can rebuild.
 */

export interface StoreCommit {
  readonly puts: readonly (readonly [key: string, value: Buffer])[];
  readonly deletes: readonly string[];
}

export interface Store {
  /** @returns values in the order of the keys, `undefined` where there is none. */
  getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]>;
  /** @returns entries with from ≤ key < to, ascending, at most `limit`. */
  range(from: string, to: string, limit: number): Promise<[key: string, value: Buffer][]>;
  /** All of it or nothing. @throws Unavailable when the disk refuses (full, gone). */
  commit(commit: StoreCommit): Promise<void>;
  /** Empties the store. */
  clear(): Promise<void>;
  close(): Promise<void>;
}
