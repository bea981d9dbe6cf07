/** The command as people run it: another process, its answer, its files. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { simulate } from '../../services/simulator/run.ts';

const CLI = join(import.meta.dirname, '../../services/cli/main.ts');
const WAIT_MS_MAX = 120_000;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-simulate-'));
});

afterAll(() => rm(folder, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function croupier(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test('simulate prints a table, writes figures and a report, and its threads compute what one thread does', {
  timeout: WAIT_MS_MAX,
}, async () => {
  const json = join(folder, 'out.json');
  const html = join(folder, 'out.html');
  const given = '--env growth-balanced --policies linucb,epsilon-greedy:epsilon=.3,random --seeds 3 --first-seed 5';
  const rest = '--users 600 --delay exponential:50 --never .05 --snapshot-every 20';
  const args = [...given.split(' '), ...rest.split(' '), '--json', json, '--html', html];
  const { code, stdout, stderr } = await croupier('simulate', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('simulating: 100% (9/9 runs') });
  expect(stdout).toMatch(/growth-balanced: 600 users, seeds 5 to 7; an oracle has 1\d\d\.\d\d ±/);
  expect(stdout).toMatch(/epsilon-greedy:epsilon=\.3 +│ \d+\.\d\d ±\d+\.\d\d/);
  const { comparisons } = JSON.parse(await readFile(json, 'utf8')) as {
    comparisons: { policies: { policy: string; meanBySeed: number[] }[] }[];
  };
  for (const { policy, meanBySeed } of comparisons[0]!.policies) {
    const means = [5, 6, 7].map((seed) => {
      const run = simulate({
        environment: 'growth-balanced',
        policy,
        seed,
        users: 600,
        delay: 'exponential:50',
        neverShare: 0.05,
        snapshotEvery: 20,
        pendingExposure: true,
      });
      return run.expected.reduce((sum, reward) => sum + reward, 0) / 600;
    });
    expect(meanBySeed).toEqual(means);
  }
  expect(await readFile(html, 'utf8')).toContain('<title>Croupier: simulation</title>');
});

test('simulate refuses what it does not know before it runs anything', { timeout: WAIT_MS_MAX }, async () => {
  expect(await croupier('simulate', '--env', 'nowhere')).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^simulate: environment-unknown: environment nowhere is unknown, allowed are .*\n$/),
  });
  expect(await croupier('simulate', '--users', '10', '--json', join(folder, 'no/such/folder.json'))).toEqual({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/^simulate: config: .*folder\.json cannot be written to: ENOENT/),
  });
  expect(await croupier('simulate', '--seeds', 'many')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--seeds: "many", allowed is a whole number from 1 to 10000'),
  });
});
