/**
 * The store in memory, for tests, replays and the simulator: the same contract, gone with the process.
 */
import { compareKeys, type Store, type StoreCommit } from './port.ts';

export class MemoryStore implements Store {
  private readonly entries = new Map<string, Buffer>();
  /** The keys in order, as of the last range; those that went since are still in it. */
  private ordered: string[] = [];
  /** Keys that came since. */
  private added: string[] = [];

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    return keys.map((key) => this.entries.get(key));
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    this.order();
    const found: [string, Buffer][] = [];
    for (let i = firstFrom(this.ordered, from); i < this.ordered.length && found.length < limit; i++) {
      const key = this.ordered[i]!;
      if (compareKeys(key, to) >= 0) break;
      const value = this.entries.get(key);
      if (value !== undefined) found.push([key, value]);
    }
    return found;
  }

  async commit({ puts, deletes }: StoreCommit): Promise<void> {
    for (const [key, value] of puts) {
      if (!this.entries.has(key)) this.added.push(key);
      this.entries.set(key, value);
    }
    for (const key of deletes) this.entries.delete(key);
  }

  async clear(): Promise<void> {
    this.entries.clear();
    this.ordered = [];
    this.added = [];
  }

  async close(): Promise<void> {}

  async destroy(): Promise<void> {
    await this.clear();
  }

  /** Sorting what is mostly sorted takes one pass. A key that went and came again is there twice. */
  private order(): void {
    if (this.added.length === 0) return;
    this.ordered = [...this.ordered, ...this.added]
      .filter((key) => this.entries.has(key))
      .sort(compareKeys)
      .filter((key, index, keys) => key !== keys[index - 1]);
    this.added = [];
  }
}

/** @returns the index of the first key at or after `from`. */
function firstFrom(ordered: readonly string[], from: string): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(ordered[middle]!, from) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
