/**
 * The store in memory, for tests, replays and the simulator: the same contract, gone with the process.
 */
import type { Store, StoreCommit } from './port.ts';

export class MemoryStore implements Store {
  private readonly entries = new Map<string, Buffer>();

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    return keys.map((key) => this.entries.get(key));
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    return [...this.entries]
      .filter(([key]) => key >= from && key < to)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit);
  }

  async commit({ puts, deletes }: StoreCommit): Promise<void> {
    for (const [key, value] of puts) this.entries.set(key, value);
    for (const key of deletes) this.entries.delete(key);
  }

  async clear(): Promise<void> {
    this.entries.clear();
  }

  async close(): Promise<void> {}
}
