import { mkdtemp, open as openFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Corrupt } from '../../services/core/errors.ts';
import { openLevelStore } from '../../services/platform/store/level.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { compareKeys, type Store } from '../../services/platform/store/port.ts';
import { garbageIn } from '../support/faults.ts';

const bytes = (text: string) => Buffer.from(text);
const all = (store: Store) => store.range('', '\u{10ffff}', 1_000);

async function fill(store: Store, ...keys: string[]): Promise<void> {
  await store.commit({ puts: keys.map((key) => [key, bytes(`value of ${key}`)]), deletes: [] });
}

let folder: string;
const unreadable: Corrupt[] = [];
const open = () =>
  openLevelStore({
    folder,
    cacheBytes: 1_000_000,
    writeBufferBytes: 1_000_000,
    onUnreadable: (error) => unreadable.push(error),
  });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-store-'));
  unreadable.length = 0;
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const opened: [string, () => Promise<Store>][] = [
  ['memory', async () => new MemoryStore()],
  ['LevelDB', open],
];

describe.each(opened)('the store in %s', (_name, openStore) => {
  let store: Store;
  beforeEach(async () => {
    store = await openStore();
  });
  afterEach(() => store.close());

  it('gives values in the order of the keys asked for, undefined where there is none', async () => {
    await fill(store, 'a', 'c');
    expect(await store.getMany(['c', 'b', 'a', 'c'])).toEqual([
      bytes('value of c'),
      undefined,
      bytes('value of a'),
      bytes('value of c'),
    ]);
    expect(await store.getMany([])).toEqual([]);
  });

  it('ranges over from ≤ key < to, ascending, at most so many', async () => {
    await fill(store, 'b', 'a/2', 'a/1', 'a0', 'a/3');
    const keys = async (from: string, to: string, limit: number) =>
      (await store.range(from, to, limit)).map(([key]) => key);
    expect(await keys('a/', 'a0', 10)).toEqual(['a/1', 'a/2', 'a/3']);
    expect(await keys('a/1', 'a/3', 10)).toEqual(['a/1', 'a/2']);
    expect(await keys('a/', 'z', 2)).toEqual(['a/1', 'a/2']);
    expect(await keys('a/2\0', 'z', Number.MAX_SAFE_INTEGER)).toEqual(['a/3', 'a0', 'b']);
    expect(await keys('c', 'z', 10)).toEqual([]);
    expect((await store.range('b', 'c', 1))[0]![1]).toEqual(bytes('value of b'));
  });

  it('orders keys as UTF-8 bytes, whatever the alphabet', async () => {
    const keys = ['', 'z', 'é', '中', '\uff5e', '😀', '😁', 'a\0', 'a', '\ud7ff', '\ue000'].map((key) => `g/${key}`);
    await fill(store, ...keys);
    const found = (await store.range('g/', 'g0', 100)).map(([key]) => key);
    expect(found).toEqual(keys.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b))));
    expect(found).toEqual(keys.toSorted(compareKeys));
  });

  it('keeps what comes, goes and comes again as one entry', async () => {
    await fill(store, 'a', 'b');
    await all(store);
    await store.commit({ puts: [], deletes: ['a', 'never there'] });
    expect((await all(store)).map(([key]) => key)).toEqual(['b']);
    await fill(store, 'a', 'c');
    expect((await all(store)).map(([key]) => key)).toEqual(['a', 'b', 'c']);
  });

  it('overwrites, and a commit of puts and deletes is seen as one', async () => {
    await fill(store, 'a', 'b');
    await store.commit({
      puts: [
        ['a', bytes('new')],
        ['empty', Buffer.alloc(0)],
      ],
      deletes: ['b'],
    });
    expect(await all(store)).toEqual([
      ['a', bytes('new')],
      ['empty', Buffer.alloc(0)],
    ]);
  });

  it('is empty once cleared, and goes on', async () => {
    await fill(store, 'a', 'b');
    await store.clear();
    expect(await all(store)).toEqual([]);
    await fill(store, 'c');
    expect(await store.getMany(['a', 'c'])).toEqual([undefined, bytes('value of c')]);
  });

  it('takes ten thousand entries in one commit', async () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => `k/${String(i).padStart(6, '0')}`);
    await fill(store, ...keys);
    expect((await store.range('k/', 'k0', 20_000)).map(([key]) => key)).toEqual(keys);
  });
});

async function expectBegunAnew(): Promise<void> {
  const store = await open();
  expect(await all(store)).toEqual([]);
  expect(unreadable.map(({ code }) => code)).toEqual(['store-unreadable']);
  await fill(store, 'b');
  expect(await all(store)).toHaveLength(1);
  await store.close();
}

describe('the store on disk', () => {
  it('has what was committed when it is opened again', async () => {
    const first = await open();
    await fill(first, 'a', 'b');
    await first.commit({ puts: [], deletes: ['a'] });
    await first.close();
    const again = await open();
    expect(await all(again)).toEqual([['b', bytes('value of b')]]);
    await again.close();
  });

  it('says that it is locked while another has it open', async () => {
    const first = await open();
    await expect(open()).rejects.toMatchObject({ name: 'Unavailable', code: 'store-locked' });
    await fill(first, 'a');
    await first.close();
    const again = await open();
    expect(await again.getMany(['a'])).toEqual([bytes('value of a')]);
    await again.close();
  });

  it('is empty after it was destroyed, open or unreadable', async () => {
    const first = await open();
    await fill(first, 'a');
    await first.destroy();
    const again = await open();
    expect(await all(again)).toEqual([]);
    await again.close();
    expect(unreadable).toEqual([]);
  });

  it.each([
    ['CURRENT', /^CURRENT$/],
    ['its manifest', /^MANIFEST/],
  ])('whose %s is garbage begins empty, and says so', async (_what, name) => {
    const first = await open();
    await fill(first, 'a');
    await first.close();
    expect(await garbageIn(folder, name)).toBe(1);
    await expectBegunAnew();
  });

  it('whose tables are garbage begins empty, and says so', async () => {
    const first = await open();
    for (let i = 0; i < 5; i++) await first.commit({ puts: [[`k${i}`, Buffer.alloc(500_000, i)]], deletes: [] });
    await first.close();
    // Opening moves what is left in the write-ahead log to a table.
    await (await open()).close();
    expect(await garbageIn(folder, /\.ldb$/)).toBeGreaterThan(0);
    await expectBegunAnew();
  });

  it('that lost a commit, but not what was committed after it, begins empty, and says so', async () => {
    const first = await open();
    for (let i = 0; i < 5; i++) await first.commit({ puts: [[`k${i}`, Buffer.alloc(40_000, i)]], deletes: [] });
    await first.close();
    const [file] = (await readdir(folder)).filter((name) => name.endsWith('.log'));
    const handle = await openFile(join(folder, file!), 'r+');
    // In the second commit.
    await handle.write(Buffer.alloc(1_000, 0xa5), 0, 1_000, 60_000);
    await handle.close();
    await expectBegunAnew();
  });

  it('refuses to give a value that is not what was written', async () => {
    const first = await open();
    await fill(first, 'a', 'b');
    await first.close();
    const raw = new ClassicLevel<string, Buffer>(folder, { valueEncoding: 'buffer' });
    const value = (await raw.get('a'))!;
    await raw.put('a', Buffer.from(value.map((byte, index) => (index === value.length - 1 ? byte ^ 1 : byte))));
    await raw.close();
    const again = await open();
    expect(await again.getMany(['b'])).toEqual([bytes('value of b')]);
    await expect(again.getMany(['a'])).rejects.toMatchObject({ name: 'Corrupt', code: 'store-unreadable' });
    await expect(all(again)).rejects.toMatchObject({ name: 'Corrupt', code: 'store-unreadable' });
    await again.destroy();
  });

  it('opens as it was after ten thousand commits and more', async () => {
    const first = await open();
    for (let i = 0; i < 10_050; i++) await first.commit({ puts: [['a', bytes(String(i))]], deletes: [] });
    await first.close();
    const again = await open();
    expect(await all(again)).toEqual([['a', bytes('10049')]]);
    await again.close();
    expect(unreadable).toEqual([]);
  });

  it('whose write-ahead log is garbage has lost what was in it', async () => {
    const first = await open();
    await fill(first, 'a', 'b');
    await first.close();
    expect(await garbageIn(folder, /\.log$/)).toBe(1);
    const again = await open();
    expect(await all(again)).toEqual([]);
    await again.close();
  });
});
