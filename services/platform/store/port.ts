/**
 * The store port: what one input partition keeps on disk. Units, each with bytes and the time at which it is due; and few
 * entries with names. What is put can be got at once, but stays only when it is committed: closing forgets the rest. Always
 * a cache that the log can rebuild: after any error, throw the store's user away and open it again.
 *
 * Whatever reads throws Corrupt `store-unreadable` when what is stored cannot be read: destroy the store then and rebuild
 * it; or Unavailable when the disk refuses.
 */
export interface Store {
  /** @returns a view that the next call may change, `undefined` when there is none. */
  get(unit: string): Buffer | undefined;
  /** @param due any number; +∞ for never. */
  put(unit: string, value: Uint8Array, due: number): void;
  delete(unit: string): void;
  /**
   * Gives the units that are due at that time or before, in any order, each once, with what `get` would say. Whoever takes
   * one puts it for later or deletes it, at best before the next.
   */
  takeDue(upTo: number): Generator<readonly [unit: string, value: Buffer]>;
  /** @returns a view that the next call may change, `undefined` when there is none. */
  getNamed(name: string): Buffer | undefined;
  /** Names, from one to some thousands, are kept in memory. */
  putNamed(name: string, value: Uint8Array): void;
  deleteNamed(name: string): void;
  names(): string[];
  /** About how many bytes all that is there takes, what was replaced or deleted left out. */
  heldBytes(): number;
  /** All that was put and deleted since the last commit, or nothing of it. @throws Unavailable when the disk refuses. */
  commit(): Promise<void>;
  /** Empties the store. */
  clear(): Promise<void>;
  close(): Promise<void>;
  /** Closes the store and removes what it holds, in whatever state that is. */
  destroy(): Promise<void>;
}
