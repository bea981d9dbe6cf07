import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Unavailable } from '../../../../services/core/errors.ts';
import { DiskMirror } from '../../../../services/platform/mirror/disk.ts';
import type { MirroredRecord } from '../../../../services/platform/mirror/mirrored-record.ts';

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mirror-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function record(version: number, overrides: Partial<MirroredRecord> = {}): MirroredRecord {
  const value = Buffer.from(`\u0000bytes of version ${version}\n`);
  return { kind: 'snapshots', key: 'coupon', rank: [version, 1], appendTimeMs: 5, value, ...overrides };
}

function fail(error: unknown): never {
  throw error;
}

describe('the mirror on disk', () => {
  it('gives back what was saved, after a restart too', async () => {
    const key = `../${'ü'.repeat(197)}`;
    await new DiskMirror(folder).save(record(1, { key }));
    expect(await new DiskMirror(folder).load('snapshots', fail)).toEqual([record(1, { key })]);
    expect(await new DiskMirror(folder).load('experiments', fail)).toEqual([]);
  });

  it('never replaces a record by an older one, after a restart neither', async () => {
    const mirror = new DiskMirror(folder);
    await mirror.save(record(7));
    await mirror.save(record(5));
    expect(await mirror.load('snapshots', fail)).toEqual([record(7)]);
    await new DiskMirror(folder).save(record(6));
    await new DiskMirror(folder).save(record(7, { rank: [7, 0] }));
    expect(await mirror.load('snapshots', fail)).toEqual([record(7)]);
    await new DiskMirror(folder).save(record(8));
    expect(await mirror.load('snapshots', fail)).toEqual([record(8)]);
  });

  it.each([
    ['cut short', (path: string) => truncate(path, 200)],
    ['of another format', (path: string) => writeFile(path, '{"format":99}\n')],
    ['empty', (path: string) => writeFile(path, '')],
  ])('leaves out a record that is %s, and tells of it', async (_what, damage) => {
    const mirror = new DiskMirror(folder);
    await mirror.save(record(1));
    await mirror.save(record(2, { key: 'other' }));
    const [name] = (await readdir(join(folder, 'snapshots'))).sort();
    await damage(join(folder, 'snapshots', name!));
    const damaged: string[] = [];
    const left = await mirror.load('snapshots', (error) => damaged.push(error.code));
    expect(left.length).toBe(1);
    expect(damaged).toEqual(['mirror']);
    await new DiskMirror(folder).save(record(1));
    await new DiskMirror(folder).save(record(2, { key: 'other' }));
    expect((await mirror.load('snapshots', fail)).length).toBe(2);
  });

  it('says so when the folder cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(new DiskMirror(join(folder, 'file')).save(record(1))).rejects.toThrow(Unavailable);
  });
});
