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
import { type Bar, bar, reportBars } from '../bench/bars.ts';
import { brokerIsOurs } from '../support/broker-process.ts';
import { Installation } from '../support/installation.ts';
import { Load } from '../support/load.ts';
import { FAULTS, type Fault, KILLED_ALONE, Learners, SESSION_TIMEOUT_MS } from './faults.ts';
import { MILLION, runMillion } from './million.ts';
import { recoveries } from './recovery.ts';

const PARTITIONS = 3;
const BEFORE_MS = 1_500;
const RECOVERED_MS = 2_000;
/** Promised after the session timeout. */
const BACK_MS_MAX = 5_000;

interface Options {
  readonly rounds: number;
  readonly only?: string;
  readonly million: boolean;
  readonly json?: string;
}

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
  .option(
    '--million',
    'instead: a million decisions, the hardest rewards and three kills; takes 7 minutes and more',
    false,
  )
  .option('--json <file>', 'also write bars, rounds and recovery times to a file')
  .helpOption('-h, --help', 'Show this help')
  .addHelpText('after', `\nFaults:\n${FAULTS.map(({ name }) => `  ${name}`).join('\n')}\n`)
  .action(async (options: Options) => {
    if (options.million) return reportMillion(options.json);
    const rounds = await withStack(() => playAll(options));
    const failed = rounds.filter(({ failures }) => failures.length > 0).length;
    const recoveryMs = rounds.flatMap((round) => round.recoveryMs);
    const [p50Ms, p99Ms] = [0.5, 0.99].map((q) => quantile(recoveryMs, q) ?? Number.NaN);
    process.stdout.write(
      `recovery, from a loss to a snapshot of what came after it in every partition: p50 ${p50Ms} ms, p99 ${p99Ms} ms, n = ${recoveryMs.length}\n`,
    );
    const bars = [bar('rounds that fail', failed, 'rounds', 'at most', 0), ...recoveryBars(rounds)];
    await reportBars(bars, options.json, { rounds, p50Ms, p99Ms });
    process.stdout.write(`${rounds.length - failed} passed, ${failed} failed\n`);
  });
await command.parseAsync();

/** How long the one learner that there was is away, once its group has noticed; nothing when it was never killed. */
function recoveryBars(rounds: readonly Round[]): Bar[] {
  const lossesMs = rounds.filter(({ fault }) => fault === KILLED_ALONE).flatMap(({ recoveryMs }) => recoveryMs);
  if (lossesMs.length === 0) return [];
  const beyondMs = Math.max(...lossesMs) - SESSION_TIMEOUT_MS;
  const name = `${KILLED_ALONE}: first snapshot after the session timeout, longest of ${lossesMs.length}`;
  return [bar(name, beyondMs, 'ms', 'at most', BACK_MS_MAX)];
}

/** With the stack that is there, or one for this run. */
async function withStack<T>(run: () => Promise<T>): Promise<T> {
  const stack = await ensureStack({ reporter: standardErrorReporter('chaos') });
  Object.assign(process.env, stack.variables);
  try {
    return await run();
  } finally {
    await stack.stop();
  }
}

async function reportMillion(json: string | undefined): Promise<void> {
  const progress = startProgress({ label: 'a million', total: 100, unit: '%', to: process.stderr });
  const { kills, ...shape } = MILLION;
  const startedMs = performance.now();
  const options = { shape, kills, onProgress: (done: number) => progress.update(Math.floor(100 * done)) };
  const { bars, ...details } = await withStack(() => runMillion(options)).finally(() => progress.stop());
  process.stdout.write(`${JSON.stringify(details.counts)}\n`);
  process.stdout.write(`recovery from each kill: ${details.recoveryMs.join(', ')} ms\n`);
  await reportBars(bars, json, { ...details, seconds: (performance.now() - startedMs) / 1_000 });
  const failed = bars.filter(({ holds }) => !holds).length;
  process.stdout.write(`${bars.length - failed} passed, ${failed} failed\n`);
}

async function playAll({ rounds, only = '' }: Options): Promise<Round[]> {
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

function whole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('a whole number from 1 on is wanted');
  return number;
}
