/** The plans that once failed, and some seeds, as `npm run sim` runs them: in processes of their own, on a virtual clock. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, 'learner', 'main.ts');

async function simulation(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args], { maxBuffer: 2 ** 26 }).catch(
    (error: { stdout: string }) => error,
  );
  return stdout;
}

it('learners under faults end where the truth is, in every plan that is kept and in 100 seeds', async () => {
  expect((await simulation('--regressions', '--seeds', '100')).trimEnd()).toMatch(/\n108 passed, 0 failed$/);
}, 120_000);

it('a seed runs the same way each time', async () => {
  expect((await simulation('--twice', '--seeds', '20', '--from', '900')).trimEnd()).toMatch(/\n20 passed, 0 failed$/);
}, 120_000);

it('some seed fails when learners that were overtaken may go on writing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'croupier-sim-'));
  const json = join(folder, 'bars.json');
  const told = await simulation('--mutation', 'earlier owners may go on writing', '--seeds', '60', '--json', json);
  expect(told).toContain('the smallest plan found that fails');
  expect(told).not.toMatch(/ 0 failed\n$/);
  const { bars } = JSON.parse(await readFile(json, 'utf8')) as { bars: readonly object[] };
  expect(bars).toEqual([expect.objectContaining({ name: 'runs that fail', limit: 0, unit: 'runs', holds: false })]);
  await rm(folder, { recursive: true });
}, 120_000);
