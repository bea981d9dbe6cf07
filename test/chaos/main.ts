/**
 * `npm run chaos`: rounds of faults on real processes and a real cluster, each held against a replay of the log. Its last
 * line is `N passed, M failed`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { quantile } from '../../deploy/demo/report.ts';
import { ensureStack } from '../../deploy/local/ensure.ts';
import { standardErrorReporter } from '../../deploy/local/reporter.ts';
import { startProgress } from '../../services/platform/progress.ts';
import { bar, reportBars } from '../bench/bars.ts';
import { brokerIsOurs } from '../support/broker-process.ts';
import { Installation } from '../support/installation.ts';
import { Load } from '../support/load.ts';
import { FAULTS, type Fault, Learners } from './faults.ts';

const PARTITIONS = 3;
const BEFORE_MS = 1_500;
const RECOVERED_MS = 2_000;

interface Round {
  readonly fault: string;
  readonly failures: readonly string[];
  /** From each loss to the first snapshot that reflects, in every partition, what came after it. */
  readonly recoveryMs: readonly number[];
}

const command = new Command('npm run chaos --')
  .description(
    'Learners as processes on a Kafka of their own: killed, frozen, on disks that are empty, stale or corrupt, their broker\n' +
      'killed, all under load. After each round the digest, the books and the order of the tallies must be what a replay\n' +
      'of the log says.',
  )
  .option('--rounds <n>', 'how many rounds; each has the next fault of the list', whole, FAULTS.length)
  .option('--only <text>', 'only faults with that in their name')
  .option('--json <file>', 'also write bars, rounds and recovery times to a file')
  .helpOption('-h, --help', 'Show this help')
  .addHelpText('after', `\nFaults:\n${FAULTS.map(({ name }) => `  ${name}`).join('\n')}\n`)
  .action(async (options: { rounds: number; only?: string; json?: string }) => {
    const rounds = await playAll(options);
    const failed = rounds.filter(({ failures }) => failures.length > 0).length;
    const recoveryMs = rounds.flatMap((round) => round.recoveryMs);
    const [p50Ms, p99Ms] = [0.5, 0.99].map((q) => quantile(recoveryMs, q) ?? Number.NaN);
    process.stdout.write(
      `recovery, from a loss to a snapshot of what came after it in every partition: p50 ${p50Ms} ms, p99 ${p99Ms} ms, n = ${recoveryMs.length}\n`,
    );
    const bars = [bar('rounds that fail', failed, 'rounds', 'at most', 0)];
    await reportBars(bars, options.json, { rounds, p50Ms, p99Ms });
    process.stdout.write(`${rounds.length - failed} passed, ${failed} failed\n`);
  });
await command.parseAsync();

async function playAll({ rounds, only = '' }: { rounds: number; only?: string }): Promise<Round[]> {
  const stack = await ensureStack({ reporter: standardErrorReporter('chaos') });
  Object.assign(process.env, stack.variables);
  const faults = FAULTS.filter(({ name }) => name.includes(only));
  const folder = await mkdtemp(join(tmpdir(), 'croupier-chaos-'));
  const played: Round[] = [];
  const progress = startProgress({ label: 'chaos', total: rounds, unit: 'rounds', to: process.stderr });
  try {
    while (played.length < rounds) {
      const fault = faults[played.length % faults.length]!;
      const round = await play(fault, join(folder, String(played.length)));
      played.push(round);
      progress.update(played.length);
      process.stdout.write(
        `${round.failures.length === 0 ? 'ok' : 'FAILED'}: ${fault.name}: ${round.recoveryMs.join(', ')} ms\n`,
      );
      for (const failure of round.failures) process.stdout.write(`  ${failure}\n`);
    }
  } finally {
    progress.stop();
    await rm(folder, { recursive: true, force: true });
    await stack.stop();
  }
  return played;
}

async function play(fault: Fault, folder: string): Promise<Round> {
  const experiments = ['deploy/examples/home-banner.yaml'];
  const installation = await Installation.create({ name: 'chaos', partitions: PARTITIONS, experiments });
  const lossesMs: number[] = [];
  const load = new Load(installation, PARTITIONS);
  const failures: string[] = [];
  try {
    if (fault.name.startsWith('broker') && !(await brokerIsOurs())) throw new Error('the broker is not ours to kill');
    const learners = new Learners(installation, folder, PARTITIONS);
    await learners.start('a');
    await learners.ownAll();
    const stopSending = load.keepSending();
    await delay(BEFORE_MS);
    await fault.strike(learners, () => lossesMs.push(Date.now()));
    await learners.ownAll();
    await delay(RECOVERED_MS);
    await stopSending();
    failures.push(...(await load.contradictions()));
    await learners.stopAll();
    return { fault: fault.name, failures, recoveryMs: await recoveries(installation, lossesMs) };
  } catch (error) {
    return { fault: fault.name, failures: [...failures, String(error)], recoveryMs: [] };
  } finally {
    await load.close();
    await installation.close();
  }
}

/** From each loss to the append of a snapshot that reflects, in every partition, a decision appended since. */
async function recoveries(installation: Installation, lossesMs: readonly number[]): Promise<number[]> {
  const { log, topics, codecs } = installation;
  const records = await installation.recordsOf(topics.snapshots);
  const snapshots = records.flatMap(({ value, appendTimeMs }) =>
    value === null ? [] : [{ appendTimeMs, cuts: codecs.snapshot.decode(value).offsets }],
  );
  const found: number[] = [];
  for (const lostMs of lossesMs) {
    const since = await log.admin.offsetsAt(topics.decisions, lostMs);
    const reflects = (cuts: (typeof snapshots)[number]['cuts']): boolean =>
      since.every((offset, at) => cuts.some(({ partition, decisions }) => partition === at && decisions > offset));
    const next = snapshots.find(({ appendTimeMs, cuts }) => appendTimeMs > lostMs && reflects(cuts));
    if (next !== undefined) found.push(next.appendTimeMs - lostMs);
  }
  return found;
}

function whole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('a whole number from 1 on is wanted');
  return number;
}
