/** What the store on disk does beyond the contract: random runs beside the one in memory, crashes, damage, locks. */
import { cp, mkdtemp, open as openFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Corrupt } from '../../services/core/errors.ts';
import { seededRandom } from '../../services/core/random.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import type { Store } from '../../services/platform/store/port.ts';
import { openSegmentStore } from '../../services/platform/store/segments/store.ts';
import { garbageIn } from '../support/faults.ts';
import { bytes, fill, NEVER, stored, storedNamed, taken } from '../support/stores.ts';

const SEGMENT_BYTES = 65_536;

let folder: string;
const unreadable: Corrupt[] = [];
const open = (options: { folder?: string; cacheBytes?: number } = {}) =>
  openSegmentStore({
    folder,
    cacheBytes: 0,
    segmentBytes: SEGMENT_BYTES,
    onUnreadable: (error) => unreadable.push(error),
    ...options,
  });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-store-'));
  unreadable.length = 0;
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** What a random run did, checked against the store in memory at every step. */
async function exercise(seed: number, reopen: (store: Store) => Promise<Store>): Promise<void> {
  const random = seededRandom(seed);
  const int = (below: number) => Math.floor(random.next() * below);
  let store = await open({ cacheBytes: int(3) * SEGMENT_BYTES });
  const truth = new MemoryStore();
  const unitOf = (i: number) => `${i % 7 === 0 ? 'ü' : 'u'}${i}`;
  const both = (step: (one: Store) => void) => [store, truth].map(step);
  for (let clock = 0; clock < 60; clock++) {
    for (let i = 0; i < 60; i++) {
      const unit = unitOf(int(200));
      expectSame(store, truth, unit);
      const value = Buffer.alloc(int(2_000), clock);
      const due = int(10) === 0 ? NEVER : clock + 1 + int(30);
      if (int(5) === 0) both((one) => one.delete(unit));
      else both((one) => one.put(unit, value, due));
    }
    const name = `n${int(5)}`;
    both((one) => one.putNamed(name, bytes(`named at ${clock}`)));
    both((one) => one.deleteNamed(`n${clock % 7}`));
    for (;;) {
      const due = taken(store, clock);
      expect(due).toEqual(taken(truth, clock));
      if (due.length === 0) break;
      for (const unit of due) {
        const later = random.next() < 0.5;
        both((one) => (later ? one.put(unit, bytes('again'), clock + 5) : one.delete(unit)));
      }
    }
    await store.commit();
    await truth.commit();
    if (int(5) === 0) store = await reopen(store);
  }
  for (let i = 0; i < 200; i++) expectSame(store, truth, unitOf(i));
  for (const name of truth.names()) expect(storedNamed(store, name)).toEqual(storedNamed(truth, name));
  expect(store.names().sort()).toEqual(truth.names().sort());
  await store.close();
}

/** As `toEqual`, which goes through the values byte by byte. */
function expectSame(store: Store, truth: Store, unit: string): void {
  if (!isDeepStrictEqual(store.get(unit), truth.get(unit))) expect(stored(store, unit)).toEqual(stored(truth, unit));
}

/** @returns a copy of the folder as the disk has it while the process runs: nothing was closed. */
async function copied(from: string): Promise<string> {
  for (;;) {
    const copy = await mkdtemp(join(tmpdir(), 'croupier-store-'));
    const before = await stateOf(from);
    const ok = await cp(from, copy, { recursive: true, filter: (path) => !path.endsWith('lock') }).then(
      () => true,
      () => false,
    );
    // A checkpoint may be under way; a copy across its steps is no state that there ever was.
    if (ok && isDeepStrictEqual(before, await stateOf(from))) return copy;
    await rm(copy, { recursive: true, force: true });
  }
}

async function stateOf(path: string): Promise<unknown> {
  const names = (await readdir(path)).sort();
  const times = await Promise.all(
    names.map((name) =>
      stat(join(path, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => null,
      ),
    ),
  );
  return [names, times];
}

async function expectBegunAnew(): Promise<void> {
  const store = await open();
  expect([stored(store, 'a'), store.names()]).toEqual([undefined, []]);
  expect(unreadable.map(({ code }) => code)).toEqual(['store-unreadable']);
  await fill(store, 'b');
  expect(stored(store, 'b')).toEqual(bytes('value of b'));
  await store.close();
}

/** Commits until there is a checkpoint and some segments more. */
async function fillSegments(store: Store): Promise<void> {
  for (let i = 0; i < 60; i++) {
    store.put(`u${i}`, Buffer.alloc(20_000, i), i);
    await store.commit();
  }
}

async function damage(name: RegExp, at: (size: number) => number): Promise<void> {
  const files = (await readdir(folder)).filter((file) => name.test(file)).sort();
  const handle = await openFile(join(folder, files[0]!), 'r+');
  const { size } = await handle.stat();
  await handle.write(Buffer.alloc(64, 0xa5), 0, 64, at(size));
  await handle.close();
}

describe('the store on disk', () => {
  it.each([1, 2, 3, 4])(
    'holds what a store in memory would, closed and opened again at any time (seed %i)',
    async (seed) => {
      await exercise(seed, async (store) => {
        await store.close();
        return open();
      });
      expect(unreadable).toEqual([]);
    },
  );

  it.each([9, 10, 11, 12])('holds what a store in memory would, never closed (seed %i)', async (seed) => {
    await exercise(seed, async (store) => store);
  });

  it.each([5, 6, 7, 8])('holds what was committed when its process dies at any time (seed %i)', async (seed) => {
    await exercise(seed, async (store) => {
      store.put('lost', Buffer.alloc(1_000), 1);
      const copy = await copied(folder);
      await store.close();
      await rm(folder, { recursive: true });
      folder = copy;
      return open();
    });
    expect(unreadable).toEqual([]);
  });

  it('does not have what was not committed', async () => {
    const first = await open();
    await fill(first, 'a');
    first.put('a', bytes('changed'), NEVER);
    first.put('b', bytes('new'), NEVER);
    first.putNamed('h', bytes('new'));
    await first.close();
    const again = await open();
    expect([stored(again, 'a'), stored(again, 'b'), again.names()]).toEqual([bytes('value of a'), undefined, []]);
    await again.close();
  });

  it('has as many bytes on disk as three times what counts, and a little more', async () => {
    const store = await open();
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 50; i++) store.put(`u${i}`, Buffer.alloc(5_000, round), NEVER);
      await store.commit();
    }
    await store.close();
    const files = (await readdir(folder)).filter((name) => name.endsWith('.segment'));
    // 250 kB count, in segments of 64 kB; what is written between two checkpoints stays until the next.
    expect(files.length).toBeLessThan(40);
    expect(files.length * SEGMENT_BYTES).toBeLessThan(40 * 250_000 * 0.5);
  });

  it('says that it is locked while another has it open', async () => {
    const first = await open();
    await expect(open()).rejects.toMatchObject({ name: 'Unavailable', code: 'store-locked' });
    await fill(first, 'a');
    await first.close();
    const again = await open();
    expect(stored(again, 'a')).toEqual(bytes('value of a'));
    await again.close();
  });

  it('is empty after it was destroyed', async () => {
    const first = await open();
    await fill(first, 'a');
    await first.destroy();
    const again = await open();
    expect(stored(again, 'a')).toBeUndefined();
    await again.close();
    expect(unreadable).toEqual([]);
  });

  it.each<[string, RegExp]>([
    ['checkpoint', /^checkpoint$/],
    ['oldest segment', /^0{9}\d\.segment$/],
    ['files', /./],
  ])('whose %s is garbage begins empty, and says so', async (_what, name) => {
    const first = await open();
    await fillSegments(first);
    await first.close();
    expect(await garbageIn(folder, name)).toBeGreaterThan(0);
    await expectBegunAnew();
  });

  it('that lost a segment begins empty, and says so', async () => {
    const first = await open();
    await fillSegments(first);
    await first.close();
    await rm(join(folder, '0000000010.segment'));
    await expectBegunAnew();
  });

  it('that lost its checkpoint is read from the first segment on, if that is still there', async () => {
    const first = await open();
    await fillSegments(first);
    await first.close();
    await rm(join(folder, 'checkpoint'));
    const again = await open();
    expect(stored(again, 'u3')).toEqual(Buffer.alloc(20_000, 3));
    for (let round = 0; round < 3; round++) await fillSegments(again);
    await again.close();
    expect(unreadable).toEqual([]);
    await rm(join(folder, 'checkpoint'));
    await expectBegunAnew();
  });

  it('that lost a commit, but not what was committed after it, begins empty, and says so', async () => {
    const first = await open();
    await fillSegments(first);
    await first.close();
    const last = (await readdir(folder))
      .filter((name) => name.endsWith('.segment'))
      .sort()
      .at(-2)!;
    await damage(new RegExp(last), (size) => Math.floor(size / 2));
    await expectBegunAnew();
  });

  it('whose newest segment is damaged has lost what came from there on', async () => {
    const first = await open();
    await fill(first, 'a');
    await fill(first, 'b', 'c');
    await first.close();
    await damage(/\.segment$/, (size) => size - 100);
    const again = await open();
    expect([stored(again, 'a'), stored(again, 'b')]).toEqual([bytes('value of a'), undefined]);
    await again.close();
    expect(unreadable).toEqual([]);
  });

  it('refuses to give a value that is not what was written', async () => {
    const first = await open();
    await fillSegments(first);
    await damage(/^0{9}1\.segment$/, () => 1_000);
    expect(() => first.get('u0')).toThrow(/not what was written/);
    expect(stored(first, 'u2')).toEqual(Buffer.alloc(20_000, 2));
    await first.destroy();
  });

  it.each(['unit', 'name'])('does not write anew what is damaged, be it of a %s', async (kind) => {
    const store = await open();
    const kept = Buffer.alloc(20_000);
    if (kind === 'unit') store.put('kept', kept, NEVER);
    else store.putNamed('kept', kept);
    const grow = async (): Promise<void> => {
      for (let round = 0; round < 40; round++) {
        store.put(round % 3 === 2 ? `u${round}` : 'u', Buffer.alloc(20_000, round), NEVER);
        await store.commit();
        if (round === 5) await damage(/^0{9}1\.segment$/, () => 5_000);
      }
    };
    await expect(grow()).rejects.toThrow(/is damaged at 16$/);
    await store.destroy();
  });

  it('refuses to tell what is due from a table that is not what was written', async () => {
    const first = await open();
    await fillSegments(first);
    await first.close();
    await damage(/^0{9}1\.segment$/, (size) => size - 200);
    const again = await open();
    expect(() => taken(again, 1)).toThrow(/not what was written/);
    await again.destroy();
  });
});
