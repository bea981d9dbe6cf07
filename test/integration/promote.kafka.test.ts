/** `croupier replay --promote` on a real cluster, while events come in and learners learn. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CHECKOUT } from '../../deploy/local/ensure.ts';
import { Installation } from '../support/installation.ts';
import { Load } from '../support/load.ts';

const PARTITIONS = 3;

let installation: Installation;
let load: Load;
let data: string;
let asked: readonly string[];

beforeEach(async () => {
  const experiments = ['deploy/examples/home-banner.yaml'];
  installation = await Installation.create({ name: 'promote', partitions: PARTITIONS, experiments });
  load = new Load(installation, PARTITIONS);
  data = await mkdtemp(join(tmpdir(), 'croupier-promote-'));
  const file = join(data, 'candidate.yaml');
  const banner = await readFile(join(CHECKOUT, 'deploy/examples/home-banner.yaml'), 'utf8');
  await writeFile(
    file,
    banner.replace('fold: max', 'fold: sum').replace('cohort: 1d', 'cohort: 1h').replace('max: 1', 'max: 3'),
  );
  asked = ['replay', '--data', data, '--promote', file, '--json'];
});
afterEach(async () => {
  await load?.close();
  await installation?.close();
  await rm(data, { recursive: true, force: true });
});

it('takes over while events come in, after it was killed too, and learners end where a replay by it does', async () => {
  const learner = await installation.startLearner({ CROUPIER_LEARNER_COMMIT_INTERVAL: '20ms' });
  await load.send(3_000);
  await load.learned();
  const stopSending = load.keepSending();
  const child = spawn(process.execPath, ['services/replay/main.ts', ...asked.slice(1)], {
    cwd: CHECKOUT,
    env: { ...process.env, ...installation.environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  child.stderr!.once('data', () => child.kill('SIGKILL'));
  await exited;
  const promoted = JSON.parse(await installation.croupier(...asked)) as { version: number };
  expect(promoted).toMatchObject({ experimentId: 'home-banner', version: 2 });
  expect(JSON.parse(await installation.croupier(...asked))).toMatchObject({ version: 2, changed: false });
  await stopSending();
  await load.send(200);
  expect(await load.contradictions()).toEqual([]);
  expect(await learner.stop()).toBe(0);
}, 180_000);
