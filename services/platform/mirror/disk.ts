/**
 * A mirror in a folder: one file a record, replaced whole. The folder belongs to one process at a time.
 * Owns the ranks of what it wrote or read.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Corrupt, Unavailable } from '../../core/errors.ts';
import { fromBytes, isNewer, type MirroredKind, type MirroredRecord, toBytes } from './mirrored-record.ts';
import type { Mirror } from './port.ts';

const SUFFIX = '.record';

export class DiskMirror implements Mirror {
  readonly name = 'disk';
  private readonly folder: string;
  private readonly ranks = new Map<string, MirroredRecord['rank']>();

  constructor(folder: string) {
    this.folder = folder;
  }

  async save(record: MirroredRecord): Promise<void> {
    const path = this.pathOf(record);
    const held = this.ranks.get(path) ?? (await rankOf(path));
    if (held !== null && !isNewer(record.rank, held)) return;
    await this.attempt(`write ${path}`, async () => {
      await mkdir(join(this.folder, record.kind), { recursive: true });
      await replaceFile(path, toBytes(record));
    });
    this.ranks.set(path, record.rank);
  }

  async load(kind: MirroredKind, damaged: (error: Corrupt) => void): Promise<readonly MirroredRecord[]> {
    const folder = join(this.folder, kind);
    const names = await this.attempt(`list ${folder}`, () => readdir(folder), []);
    const records: MirroredRecord[] = [];
    for (const name of names.filter((each) => each.endsWith(SUFFIX)).sort()) {
      const path = join(folder, name);
      try {
        records.push(fromBytes(await this.attempt(`read ${path}`, () => readFile(path)), path));
      } catch (error) {
        if (!(error instanceof Corrupt)) throw error;
        damaged(error);
      }
    }
    return records;
  }

  async close(): Promise<void> {}

  /** Keys have any characters and up to 200 of them: a digest of one is a file name everywhere. */
  private pathOf({ kind, key }: MirroredRecord): string {
    return join(this.folder, kind, createHash('sha256').update(key).digest('hex') + SUFFIX);
  }

  private async attempt<T>(what: string, action: () => Promise<T>, ifAbsent?: T): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      if (ifAbsent !== undefined && isAbsent(cause)) return ifAbsent;
      throw new Unavailable('disk-unavailable', `could not ${what}: ${(cause as Error).message}`, { cause });
    }
  }
}

/** Atomic: a reader finds the old bytes or the new ones. */
async function replaceFile(path: string, bytes: Buffer): Promise<void> {
  const file = await open(`${path}.new`, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/** @returns `null` when there is no whole record: then anything is newer. */
async function rankOf(path: string): Promise<MirroredRecord['rank'] | null> {
  try {
    return fromBytes(await readFile(path), path).rank;
  } catch (error) {
    if (error instanceof Corrupt || isAbsent(error)) return null;
    throw new Unavailable('disk-unavailable', `could not read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
