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
  /**
   * @param due any number; +∞ for never.
   * @param mark from 0, when left out, to MARK_MAX: said when the unit is due, before anybody reads it.
   */
  put(unit: string, value: Uint8Array, due: number, mark?: number): void;
  delete(unit: string): void;
  /**
   * Gives the units that are due at that time or before, in any order, each once. Whoever takes one reads it and puts it for
   * later or deletes it, or deletes it unread, before the next.
   */
  takeDue(upTo: number): Generator<Due>;
  /** Gives every unit with what `get` would say, in any order. Nothing may be put or deleted meanwhile. */
  units(): Generator<readonly [unit: string, value: Buffer]>;
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

export const MARK_MAX = 4_095;

/** A unit that is due. */
export interface Due {
  readonly mark: number;
  /** @returns what `get` would say. */
  read(): readonly [unit: string, value: Buffer];
  /** Deletes it, whether read or not: that takes no look at what is stored. */
  delete(): void;
}
