/**
 * The store on disk, over LevelDB: log-structured, so random units cost sequential writes; its memory is the block
 * cache and write buffer given here, however much it holds. Keys are bytewise ordered UTF-8, none begins with \0.
 *
 * LevelDB skips what it cannot read of its write-ahead log, and its binding does not have the checksums of tables
 * verified. Either would give wrong sums without a word, so each value has a checksum of its own, and each commit leaves
 * a numbered mark: a commit that is missing before one that is there shows as a gap.
 */
import { rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
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

type Level = ClassicLevel<string, Buffer>;

const MARKS_FROM = '\0';
const MARKS_TO = '\x01';
/** No more commits than this are in the write-ahead log alone. */
const MARKS_KEPT = 10_000;
const CRC_BYTES = 4;
/** The machine's troubles, which say nothing of what is stored; LevelDB has no codes for them. */
const PASSING = /Too many open files|No space left|Cannot allocate memory/;

/** @throws Unavailable when another process has the folder open, or the disk refuses. */
export async function openLevelStore(options: LevelStoreOptions): Promise<Store> {
  try {
    return await LevelStore.open(options);
  } catch (error) {
    if (!(error instanceof Corrupt)) throw error;
    await remove(options.folder);
    options.onUnreadable(error);
    return LevelStore.open(options);
  }
}

class LevelStore implements Store {
  private readonly options: LevelStoreOptions;
  private db: Level;
  /** Number of the next commit. */
  private commits: number;

  private constructor(options: LevelStoreOptions, db: Level, commits: number) {
    this.options = options;
    this.db = db;
    this.commits = commits;
  }

  static async open(options: LevelStoreOptions): Promise<LevelStore> {
    const db = await openLevel(options);
    try {
      return new LevelStore(options, db, await countCommits(db));
    } catch (error) {
      await db.close();
      throw failure(options.folder, error);
    }
  }

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    const values = await this.reading(this.db.getMany([...keys]));
    return values.map((value, index) => (value === undefined ? undefined : this.verified(keys[index]!, value)));
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    const gte = from < MARKS_TO ? MARKS_TO : from;
    const entries = await this.reading(this.db.iterator({ gte, lt: to, limit }).all());
    return entries.map(([key, value]) => [key, this.verified(key, value)]);
  }

  async commit({ puts, deletes }: StoreCommit): Promise<void> {
    const batch = this.db.batch();
    for (const [key, value] of puts) batch.put(key, withChecksum(key, value));
    for (const key of deletes) batch.del(key);
    batch.put(markKey(this.commits), Buffer.alloc(0));
    if (this.commits >= MARKS_KEPT) batch.del(markKey(this.commits - MARKS_KEPT));
    try {
      await batch.write();
      this.commits += 1;
      // Moves what is in the write-ahead log to a table.
      if (this.commits % MARKS_KEPT === 0) await this.db.compactRange(MARKS_FROM, MARKS_TO);
    } catch (error) {
      throw new Unavailable('store-commit', `the store refused a commit: ${String(error)}`, { cause: error });
    }
  }

  async clear(): Promise<void> {
    await this.destroy();
    this.db = await openLevel(this.options);
    this.commits = 0;
  }

  async close(): Promise<void> {
    await this.db.close();
  }

  async destroy(): Promise<void> {
    await this.db.close();
    await remove(this.options.folder);
  }

  private async reading<T>(result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      throw failure(this.options.folder, error);
    }
  }

  private verified(key: string, stored: Buffer): Buffer {
    const value = stored.subarray(CRC_BYTES);
    if (stored.length >= CRC_BYTES && stored.readUInt32BE(0) === checksum(key, value)) return value;
    throw failure(this.options.folder, `the value of ${JSON.stringify(key)} is not what was written`);
  }
}

async function openLevel({ folder, cacheBytes, writeBufferBytes }: LevelStoreOptions): Promise<Level> {
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
  return db;
}

/** @throws Error when the marks have a gap. */
async function countCommits(db: Level): Promise<number> {
  const marks = await db.keys({ gte: MARKS_FROM, lt: MARKS_TO }).all();
  const [anything] = await db.keys({ limit: 1 }).all();
  if (anything === undefined) return 0;
  const next = Number(marks.at(-1)?.slice(1) ?? -1) + 1;
  const first = Math.max(0, next - MARKS_KEPT);
  if (next > 0 && marks[0] === markKey(first) && marks.length === next - first) return next;
  throw new Error(`${marks.length} marks of commits from ${first} to ${next - 1}, some commit is missing`);
}

function markKey(commit: number): string {
  return MARKS_FROM + commit.toString().padStart(16, '0');
}

function withChecksum(key: string, value: Buffer): Buffer {
  const stored = Buffer.allocUnsafe(CRC_BYTES + value.length);
  stored.writeUInt32BE(checksum(key, value), 0);
  value.copy(stored, CRC_BYTES);
  return stored;
}

function checksum(key: string, value: Buffer): number {
  return crc32(value, crc32(key));
}

function failure(folder: string, error: unknown): Corrupt | Unavailable {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'LEVEL_LOCKED') {
    return new Unavailable('store-locked', `store ${folder} is open in another process`, { cause });
  }
  return PASSING.test(String(cause))
    ? new Unavailable('store-refused', `store ${folder}: ${String(cause)}`, { cause })
    : new Corrupt('store-unreadable', `store ${folder} cannot be read: ${String(cause)}`, { cause });
}

async function remove(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    throw new Unavailable('store-remove', `store ${folder} cannot be removed: ${String(error)}`, { cause: error });
  }
}
