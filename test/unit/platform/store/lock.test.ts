import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../../../services/platform/store/segments/lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe.each([
  ['a folder', ''],
  // Sockets have short paths, folders need not.
  ['a folder far down', join('a'.repeat(100), 'b'.repeat(100))],
])('%s', (_what, below) => {
  it('has one owner until that lets go, and then nothing left of it', async () => {
    const locked = join(folder, below);
    await mkdir(locked, { recursive: true });
    const first = await lockFolder(locked);
    await expect(lockFolder(locked)).rejects.toMatchObject({ code: 'store-locked' });
    await first.release();
    expect(await readdir(locked)).toEqual([]);
    const second = await lockFolder(locked);
    await second.release();
  });
});
