/** What every store does, whatever keeps it; what only the one on disk does is in store-on-disk.test.ts. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rethrow } from '../../services/core/errors.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import type { Store } from '../../services/platform/store/port.ts';
import { openSegmentStore } from '../../services/platform/store/segments/store.ts';
import { bytes, fill, NEVER, stored, storedNamed, taken } from '../support/stores.ts';

const SEGMENT_BYTES = 65_536;

let folder: string;
const open = () =>
  openSegmentStore({
    folder,
    cacheBytes: 0,
    segmentBytes: SEGMENT_BYTES,
    onUnreadable: rethrow,
  });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-store-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const opened: [string, () => Promise<Store>][] = [
  ['memory', async () => new MemoryStore()],
  ['segments', open],
];

describe.each(opened)('the store in %s', (_name, openStore) => {
  let store: Store;
  beforeEach(async () => {
    store = await openStore();
  });

  it('says about how many bytes it holds, without what was replaced or deleted', async () => {
    const units = Array.from({ length: 2_000 }, (_, at) => `unit-${at}`);
    for (const unit of units) store.put(unit, Buffer.alloc(100), NEVER);
    await store.commit();
    const held = store.heldBytes();
    expect(held).toBeGreaterThan(units.length * 100);
    expect(held).toBeLessThan(units.length * 200);
    for (const unit of units) store.put(unit, Buffer.alloc(100), NEVER);
    await store.commit();
    expect(Math.abs(store.heldBytes() / held - 1)).toBeLessThan(0.1);
    for (const unit of units) store.delete(unit);
    await store.commit();
    expect(store.heldBytes()).toBeLessThan(held / 10);
  });
  afterEach(() => store.close());

  it('gives what was put, committed or not, and undefined where there is nothing', async () => {
    await fill(store, 'a', 'é', '中文', '😀', '__proto__');
    store.put('b', bytes('not yet'), NEVER);
    for (const unit of ['a', 'é', '中文', '😀', '__proto__'])
      expect(stored(store, unit)).toEqual(bytes(`value of ${unit}`));
    expect(stored(store, 'b')).toEqual(bytes('not yet'));
    for (const unit of ['c', 'Ã©', 'aa', '']) expect(stored(store, unit)).toBeUndefined();
  });

  it('overwrites and deletes; what comes, goes and comes again is there once', async () => {
    await fill(store, 'a', 'b');
    store.put('a', bytes('new'), NEVER);
    store.delete('b');
    store.delete('never there');
    await store.commit();
    expect([stored(store, 'a'), stored(store, 'b')]).toEqual([bytes('new'), undefined]);
    await fill(store, 'b');
    expect(stored(store, 'b')).toEqual(bytes('value of b'));
    store.put('empty', Buffer.alloc(0), NEVER);
    expect(stored(store, 'empty')).toEqual(Buffer.alloc(0));
  });

  it('gives units that are due once, whatever order they came in, and never those put again for later', () => {
    for (const [unit, due] of [
      ['c', 3],
      ['a', 1],
      ['d', 4],
      ['b', 2],
      ['x', NEVER],
    ] as const) {
      store.put(unit, bytes(unit), due);
    }
    store.put('b', bytes('b'), 10);
    expect(taken(store, 0)).toEqual([]);
    expect(taken(store, 3)).toEqual(['a', 'c']);
    expect(taken(store, 3)).toEqual([]);
    expect(taken(store, 9)).toEqual(['d']);
    store.delete('b');
    expect(taken(store, 1e9)).toEqual([]);
  });

  it('gives units that are due with what they hold, and may be changed while it does', () => {
    for (let i = 0; i < 100; i++) store.put(`u${i}`, bytes(`value of u${i}`), i % 3);
    const given: string[] = [];
    for (const due of store.takeDue(5)) {
      const [unit, value] = due.read();
      expect(Buffer.from(value)).toEqual(bytes(`value of ${unit}`));
      given.push(unit);
      if (given.length % 2 === 0) store.delete(unit);
      else store.put(unit, Buffer.alloc(2_000, 'x'), 6);
    }
    expect(given.toSorted()).toEqual(Array.from({ length: 100 }, (_, i) => `u${i}`).toSorted());
    expect(taken(store, 6)).toEqual(given.filter((_, i) => i % 2 === 0).toSorted());
  });

  it('gives every unit, due or not, with what it holds now', async () => {
    for (let i = 0; i < 100; i++) store.put(`u${i}`, bytes('old'), i % 2 === 0 ? i : Number.POSITIVE_INFINITY);
    await store.commit();
    store.putNamed('named', bytes('n'));
    for (let i = 0; i < 100; i += 3) store.put(`u${i}`, bytes('new'), 5);
    for (let i = 0; i < 100; i += 10) store.delete(`u${i}`);
    const expected = Array.from({ length: 100 }, (_, i) => i)
      .filter((i) => i % 10 !== 0)
      .map((i) => [`u${i}`, i % 3 === 0 ? 'new' : 'old']);
    const given = [...store.units()].map(([unit, value]) => [unit, value.toString()]);
    expect(given.toSorted()).toEqual(expected.toSorted());
    expect(taken(store, 1)).toEqual([]);
  });

  it('goes on with the rest where somebody stopped taking', () => {
    for (let i = 0; i < 10; i++) store.put(`u${i}`, bytes('v'), i % 3);
    const some: string[] = [];
    for (const due of store.takeDue(5)) {
      some.push(due.read()[0]);
      due.delete();
      if (some.length === 4) break;
    }
    expect([...some, ...taken(store, 5)].sort()).toEqual(Array.from({ length: 10 }, (_, i) => `u${i}`));
  });

  it('says the mark of a unit that is due, and deletes it unread', async () => {
    for (let i = 0; i < 100; i++) store.put(`u${i}`, bytes('v'), i % 3, i % 5 === 0 ? 4_095 - i : 0);
    // What was put last counts, and a mark stays with its own.
    store.put('u5', bytes('w'), 1, 7);
    store.put('u10', bytes('w'), 1);
    await store.commit();
    const marks: number[] = [];
    for (const due of store.takeDue(5)) {
      if (due.mark === 0) continue;
      marks.push(due.mark);
      due.delete();
    }
    const marked = Array.from({ length: 20 }, (_, i) => i * 5).filter((i) => i !== 5 && i !== 10);
    expect(marks.sort((a, b) => a - b)).toEqual([7, ...marked.map((i) => 4_095 - i)].sort((a, b) => a - b));
    await store.commit();
    for (const i of [0, 5, 95]) expect(stored(store, `u${i}`)).toBeUndefined();
    for (const i of [1, 10, 99]) expect(stored(store, `u${i}`)).toBeDefined();
  });

  it('keeps entries with names apart from units', async () => {
    store.put('h', bytes('unit'), NEVER);
    store.putNamed('h', bytes('named'));
    store.putNamed('s/é', bytes('1'));
    store.putNamed('s/é', bytes('2'));
    store.putNamed('gone', bytes('soon'));
    store.deleteNamed('gone');
    store.deleteNamed('never there');
    await store.commit();
    expect([stored(store, 'h'), storedNamed(store, 'h')]).toEqual([bytes('unit'), bytes('named')]);
    expect(store.names().sort()).toEqual(['h', 's/é']);
    expect([storedNamed(store, 's/é'), storedNamed(store, 'gone')]).toEqual([bytes('2'), undefined]);
  });

  it('is empty once cleared, and goes on', async () => {
    await fill(store, 'a', 'b');
    store.putNamed('h', bytes('named'));
    await store.clear();
    expect([stored(store, 'a'), store.names(), taken(store, NEVER)]).toEqual([undefined, [], []]);
    await fill(store, 'c');
    expect([stored(store, 'a'), stored(store, 'c')]).toEqual([undefined, bytes('value of c')]);
  });
});
