/**
 * The store on disk, over LevelDB: log-structured, so random units cost sequential writes; its memory is the block
 * cache and write buffer given here, however much it holds. Keys are bytewise ordered UTF-8.
 */
import { ClassicLevel } from 'classic-level';
import { Corrupt, Unavailable } from '../../core/errors.ts';
import type { Store, StoreCommit } from './port.ts';

export interface LevelStoreOptions {
  readonly folder: string;
  readonly cacheBytes: number;
  readonly writeBufferBytes: number;
}

/** @throws Corrupt when the files cannot be read; Unavailable when another process has the folder open. */
export async function openLevelStore(options: LevelStoreOptions): Promise<Store> {
  const db = new ClassicLevel<string, Buffer>(options.folder, {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    cacheSize: options.cacheBytes,
    writeBufferSize: options.writeBufferBytes,
  });
  try {
    await db.open();
  } catch (error) {
    throw openFailure(options.folder, error);
  }
  return new LevelStore(db);
}

function openFailure(folder: string, error: unknown): Corrupt | Unavailable {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'LEVEL_LOCKED'
    ? new Unavailable('store-locked', `store ${folder} is open in another process`, { cause })
    : new Corrupt('store-unreadable', `store ${folder} cannot be opened: ${String(cause)}`, { cause });
}

class LevelStore implements Store {
  private readonly db: ClassicLevel<string, Buffer>;

  constructor(db: ClassicLevel<string, Buffer>) {
    this.db = db;
  }

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    return this.db.getMany([...keys]);
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    return this.db.iterator({ gte: from, lt: to, limit }).all();
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
    await this.db.clear();
  }

  async close(): Promise<void> {
    await this.db.close();
  }
}
