/**
 * The store on disk, over LevelDB: log-structured, so random units cost sequential writes; its memory is the block
 * cache and write buffer given here, however much it holds. Keys are bytewise ordered UTF-8.
 */
import { rm } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import { Corrupt, Unavailable } from '../../core/errors.ts';
import type { Store, StoreCommit } from './port.ts';

export interface LevelStoreOptions {
  readonly folder: string;
  readonly cacheBytes: number;
  readonly writeBufferBytes: number;
  /** What was there could not be read: it has been removed, the store is empty. */
  onUnreadable(error: Corrupt): void;
}

/** @throws Unavailable when another process has the folder open, or the disk refuses. */
export async function openLevelStore(options: LevelStoreOptions): Promise<Store> {
  try {
    return await open(options);
  } catch (error) {
    if (!(error instanceof Corrupt)) throw error;
    await remove(options.folder);
    options.onUnreadable(error);
    return open(options);
  }
}

async function open({ folder, cacheBytes, writeBufferBytes }: LevelStoreOptions): Promise<Store> {
  const db = new ClassicLevel<string, Buffer>(folder, {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    cacheSize: cacheBytes,
    writeBufferSize: writeBufferBytes,
  });
  try {
    await db.open();
  } catch (error) {
    throw failure(folder, error);
  }
  return new LevelStore(folder, db);
}

function failure(folder: string, error: unknown): Corrupt | Unavailable {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'LEVEL_LOCKED'
    ? new Unavailable('store-locked', `store ${folder} is open in another process`, { cause })
    : new Corrupt('store-unreadable', `store ${folder} cannot be read: ${String(cause)}`, { cause });
}

async function remove(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    throw new Unavailable('store-remove', `store ${folder} cannot be removed: ${String(error)}`, { cause: error });
  }
}

class LevelStore implements Store {
  private readonly folder: string;
  private readonly db: ClassicLevel<string, Buffer>;

  constructor(folder: string, db: ClassicLevel<string, Buffer>) {
    this.folder = folder;
    this.db = db;
  }

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    return this.reading(this.db.getMany([...keys]));
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    return this.reading(this.db.iterator({ gte: from, lt: to, limit }).all());
  }

  async commit({ puts, deletes }: StoreCommit): Promise<void> {
    const batch = this.db.batch();
    for (const [key, value] of puts) batch.put(key, value);
    for (const key of deletes) batch.del(key);
    try {
      await batch.write();
    } catch (error) {
      throw new Unavailable('store-commit', `the store refused a commit: ${String(error)}`, { cause: error });
    }
  }

  async clear(): Promise<void> {
    await this.reading(this.db.clear());
  }

  async close(): Promise<void> {
    await this.db.close();
  }

  async destroy(): Promise<void> {
    await this.db.close();
    await remove(this.folder);
  }

  private async reading<T>(result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      throw failure(this.folder, error);
    }
  }
}
