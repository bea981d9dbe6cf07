/** `croupier replay` as it is run: killed in the middle it goes on, and what it writes a learner goes on from. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CHECKOUT } from '../../deploy/local/ensure.ts';
import { topicNames } from '../../services/contracts/keys.ts';
import { Installation } from '../support/installation.ts';
import { Load } from '../support/load.ts';

const PARTITIONS = 3;
const STEPS = 30_000;
const SEND_STEPS = 5_000;

interface Told {
  readonly experiments: readonly { readonly version: number; readonly digest: string; readonly verdict: string }[];
  readonly counts: Readonly<Record<string, number>>;
  readonly events: number;
  readonly resumed: number;
}

let installation: Installation;
let load: Load;
let data: string;

beforeEach(async () => {
  const experiments = ['deploy/examples/home-banner.yaml'];
  installation = await Installation.create({ name: 'replay', partitions: PARTITIONS, experiments });
  load = new Load(installation, PARTITIONS);
  data = await mkdtemp(join(tmpdir(), 'croupier-replay-'));
});
afterEach(async () => {
  await load?.close();
  const { tallies, snapshots, deadLetters } = shadowTopics();
  const { admin } = installation.log;
  for (const topic of [tallies, snapshots, deadLetters]) {
    if ((await admin.partitionCount(topic)) !== null) await admin.deleteTopics([topic]);
  }
  await installation?.close();
  await rm(data, { recursive: true, force: true });
});

const shadowTopics = () => topicNames(installation.prefix, 'shadow.');

async function replay(...args: string[]): Promise<Told> {
  return JSON.parse(await installation.croupier('replay', '--data', data, '--json', ...args)) as Told;
}

/** Kills a replay without warning once it has told of half of its work. */
async function killedHalfWay(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, ['services/replay/main.ts', '--data', data, ...args], {
    cwd: CHECKOUT,
    env: { ...process.env, ...installation.environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  createInterface({ input: child.stderr! }).on('line', (line) => {
    if (/: [5-9]0% /.test(line)) child.kill('SIGKILL');
  });
  expect(await exited).toEqual([null, 'SIGKILL']);
}

it('killed in the middle goes on where it was, to the digest and books of one that was not; and a learner goes on from it', async () => {
  for (let sent = 0; sent < STEPS; sent += SEND_STEPS) await load.send(SEND_STEPS);
  const straight = await replay('--parallel', '1');
  expect(straight).toMatchObject({ resumed: 0, experiments: [{ verdict: 'no live snapshot' }] });

  const into = ['--into', 'shadow.', '--parallel', '2'];
  await killedHalfWay(...into);
  expect(await readdir(data)).toHaveLength(1);
  const { resumed, events, ...again } = await replay(...into);
  expect(again).toMatchObject({
    counts: straight.counts,
    experiments: [{ digest: straight.experiments[0]!.digest, verdict: 'not comparable' }],
  });
  expect(resumed).toBeGreaterThan(0);
  expect(resumed + events).toBe(straight.events);
  expect(await readdir(data)).toEqual([]);

  const shadow = await installation.startLearner({ CROUPIER_NAMESPACE: 'shadow.' });
  await load.send(1_000);
  const { decisionsIn, rewardsIn } = await load.learned(shadowTopics());
  expect(await shadow.stop()).toBe(0);
  const { experiments } = await replay('--namespace', 'shadow.');
  expect(experiments).toMatchObject([{ verdict: 'same', version: decisionsIn! + rewardsIn! }]);
}, 180_000);

it('judges a candidate by what was logged, and writes nothing', async () => {
  await load.send(3_000);
  const banner = await readFile(join(CHECKOUT, 'deploy/examples/home-banner.yaml'), 'utf8');
  const file = join(data, 'candidate.yaml');
  await writeFile(file, banner.replace('kind: beta-ts', 'kind: softmax'));
  const asked = ['replay', '--data', data, '--what-if', file, '--mature-after', '0s'];
  const { sides, arms, decisions } = JSON.parse(await installation.croupier(...asked, '--json'));
  expect(sides).toMatchObject([
    { policy: 'as logged', result: { status: 'estimated', weightMax: 1 } },
    { policy: 'beta-ts', result: { decisions } },
    { policy: 'softmax', result: { status: 'estimated', decisions } },
  ]);
  expect(arms.map(({ armId }: { armId: string }) => armId)).toEqual(['summer', 'autumn', 'plain']);
  expect(await installation.croupier(...asked)).toMatch(
    /home-banner: \d+ decisions judged by the live definition's reward/,
  );
  expect(await readdir(data)).toEqual(['candidate.yaml']);
  expect(await installation.recordsOf(installation.topics.tallies)).toEqual([]);
});
