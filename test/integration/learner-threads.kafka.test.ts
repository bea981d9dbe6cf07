/** A learner of two threads on a real cluster: one process to operators, two members to the group, the same truth. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CHECKOUT } from '../../deploy/local/ensure.ts';
import { get } from '../support/decider.ts';
import { Installation, type RunningProcess } from '../support/installation.ts';
import { Load } from '../support/load.ts';
import { until } from '../support/until.ts';

const PARTITIONS = 4;
const TWO_THREADS = {
  CROUPIER_LEARNER_THREADS: '2',
  CROUPIER_LEARNER_SESSION_TIMEOUT: '6s',
  CROUPIER_LEARNER_COMMIT_INTERVAL: '20ms',
};

let installation: Installation;
let load: Load;
let folder: string;

beforeEach(async () => {
  const experiments = ['deploy/examples/home-banner.yaml'];
  installation = await Installation.create({ name: 'threads', partitions: PARTITIONS, experiments });
  load = new Load(installation, PARTITIONS);
  folder = await mkdtemp(join(tmpdir(), 'croupier-threads-'));
});
afterEach(async () => {
  await load?.close();
  await installation?.close();
  await rm(folder, { recursive: true, force: true });
});

/** @returns the thread that opened each partition last. */
function ownersIn({ lines }: RunningProcess): Map<number, number> {
  const opened = lines.filter((line) => line.includes('"msg":"partition opened"'));
  return new Map(
    opened.map((line) => {
      const { partition, thread } = JSON.parse(line) as { partition: number; thread: number };
      return [partition, thread];
    }),
  );
}

/** Resolves when each of the two threads has opened two partitions. */
async function shared(learner: RunningProcess): Promise<void> {
  const areTwoEach = async () => {
    const owners = [...ownersIn(learner).values()];
    return [1, 2].every((thread) => owners.filter((owner) => owner === thread).length === PARTITIONS / 2);
  };
  await until('both threads own two partitions', areTwoEach, 30_000);
}

async function metricsOf({ started }: RunningProcess): Promise<string> {
  return String((await get(Number(started.port), '/metrics')).body);
}

it('two threads share the partitions, show one set of figures, stop cleanly, and end where a replay does', async () => {
  const learner = await installation.startLearner(TWO_THREADS);
  await shared(learner);
  await load.send(3_000);
  const counts = await load.learned();
  expect((await get(Number(learner.started.port), '/ready')).status).toBe(200);
  const shown = await metricsOf(learner);
  const partitions = [...shown.matchAll(/^croupier_learner_offset\{.*partition="(\d)".*stream="decisions"/gm)];
  expect(partitions.map(([, partition]) => partition).sort()).toEqual(['0', '1', '2', '3']);
  const records = [...shown.matchAll(/^croupier_learner_records_total\{.*\} (\d+)$/gm)];
  const read = records.reduce((sum, [, value]) => sum + Number(value), 0);
  // What one thread had read before it gave the partition away is read from its store, not again.
  expect(read).toBe(counts.decisionsIn + counts.rewardsIn);
  expect(shown.match(/^process_resident_memory_bytes/gm)).toHaveLength(1);
  expect(await learner.stop()).toBe(0);
  expect(await load.contradictions()).toEqual([]);
});

it('a thread that dies ends the process, and what is started again ends where a replay does', async () => {
  const dieWhen = join(folder, 'now');
  const first = await installation.startLearner({
    ...TWO_THREADS,
    NODE_OPTIONS: `--import ${join(CHECKOUT, 'test/support/dying-thread.ts')}`,
    DIE_WHEN: dieWhen,
  });
  await shared(first);
  const stopSending = load.keepSending();
  await load.send(2_000);
  await writeFile(dieWhen, '');
  expect(await first.ended()).toBe(1);
  expect(first.lines.filter((line) => line.includes('this thread dies'))).toHaveLength(1);
  const second = await installation.startLearner(TWO_THREADS);
  await shared(second);
  await stopSending();
  expect(await load.contradictions()).toEqual([]);
  expect(await second.stop()).toBe(0);
});

it('a learner whose threads cannot start says why once, and ends', async () => {
  const nowhere = { ...TWO_THREADS, CROUPIER_NAMESPACE: 'nowhere.' };
  const failure = await installation.startLearner(nowhere).catch((error: Error) => error.message);
  expect(String(failure).match(/^learner: schema-not-registered: .*nowhere/gm)).toHaveLength(1);
});
