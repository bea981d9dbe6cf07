import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openState } from '../../../services/replay/state.ts';

let data: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'croupier-replay-'));
});
afterEach(async () => {
  await rm(data, { recursive: true, force: true });
});

const open = (asked: unknown, plan: unknown, restart = false) => openState(data, { asked, restart }, async () => plan);

test('a replay that was ended goes on with its own plan, and not with what would be planned now', async () => {
  const plan = new Map([['coupon', { cuts: [1, 2], at: -0 }]]);
  const first = await open('all', plan);
  expect(first.resumed).toBe(false);
  await first.close({ done: false });
  const second = await open('all', 'another');
  expect(second).toMatchObject({ resumed: true, plan });
  await second.close({ done: true });
});

test('another replay has a plan of its own, and one that is done leaves nothing behind', async () => {
  const one = await open({ to: 1 }, 'one');
  const two = await open({ to: 2 }, 'two');
  expect(two).toMatchObject({ resumed: false, plan: 'two' });
  await one.close({ done: true });
  await two.close({ done: true });
  expect(await readdir(data)).toEqual([]);
});

test('a replay can begin anew, without what an earlier run has stored', async () => {
  const first = await open('all', 'old');
  await writeFile(first.storeFolder(0), 'sums');
  await first.close({ done: false });
  const second = await open('all', 'new', true);
  expect(second).toMatchObject({ resumed: false, plan: 'new' });
  await expect(readdir(join(second.storeFolder(0), '..'))).resolves.toEqual(expect.not.arrayContaining(['0']));
  await second.close({ done: true });
});

test('of two processes that replay the same, one is refused', async () => {
  const first = await open('all', 'plan');
  await expect(open('all', 'plan')).rejects.toMatchObject({ code: 'store-locked' });
  await first.close({ done: true });
});
