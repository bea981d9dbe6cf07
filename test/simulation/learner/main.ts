/**
 * `npm run sim`: runs seeds, or plans from files, and says which fail, made as small as they still fail. Its last line is
 * `N passed, M failed`.
 */
import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { startProgress } from '../../../services/platform/progress.ts';
import { bar, reportBars } from '../../bench/bars.ts';
import { MUTATIONS } from './mutations.ts';
import { type Plan, planOf } from './plan.ts';
import { runAll } from './pool.ts';
import type { Answer, Task } from './worker.ts';

const REGRESSIONS = join(import.meta.dirname, '..', 'regressions');
const SHRINK_RUNS_MAX = 400;
/** More are only counted. */
const SHRUNK_MAX = 3;
/** Told one by one. */
const TOLD_MAX = 20;
const MUTATION_SEEDS_MAX = 1_500;

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly threads: number;
  readonly twice: boolean;
  readonly regressions: boolean;
  readonly mutations: boolean;
  readonly mutation?: string;
  readonly json?: string;
}

interface Counts {
  passed: number;
  failed: number;
}

const command = new Command('npm run sim --')
  .description(
    'Learners and deciders under faults, on a virtual clock: crashes between any two steps, lost answers, late copies,\n' +
      'slow readers, compaction, hand-overs, processes that were taken for dead, disks that are old, torn, full or gone.\n' +
      'A seed decides everything. Each run is held against the pure core and the definition of the sums.',
  )
  .argument('[plans...]', 'files with plans to run instead of seeds, such as those in test/simulation/regressions')
  .option('--seeds <n>', 'how many seeds', whole, 200)
  .option('--from <seed>', 'the first seed', whole, 1)
  .option('--threads <n>', 'threads to run on', whole, availableParallelism())
  .option('--twice', 'run each seed twice and compare the traces', false)
  .option('--regressions', 'the plans that are kept, before the seeds', false)
  .option('--mutations', 'break the product on purpose, one way after the other: each must be found', false)
  .option('--mutation <name>', 'run with the product broken in one of these ways')
  .option('--json <file>', 'also write bars and what was found to a file')
  .helpOption('-h, --help', 'Show this help')
  .action(async (files: string[], options: Options) => {
    const counts = options.mutations ? await tryMutations(options) : await runPlans(files, options);
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
  });
await command.parseAsync();

async function runPlans(files: readonly string[], options: Options): Promise<Counts> {
  const plans = await plansOf(files, options);
  const counts: Counts = { passed: 0, failed: 0 };
  const failures: Answer[] = [];
  const startedMs = performance.now();
  let steps = 0;
  const happenings = new Map<string, number>();
  const progress = startProgress({ label: 'simulation', total: plans.length, unit: 'runs', to: process.stderr });
  await runAll(
    tasksOf(plans, options, () => failures.length),
    {
      threads: options.threads,
      mutation: options.mutation ?? null,
      answered(answer) {
        steps += answer.outcome.steps;
        for (const [what, times] of answer.outcome.happenings)
          happenings.set(what, (happenings.get(what) ?? 0) + times);
        if (answer.outcome.failures.length === 0) counts.passed += 1;
        else {
          counts.failed += 1;
          failures.push(answer);
          progress.stop();
          if (failures.length <= TOLD_MAX) process.stdout.write(told(answer));
        }
        progress.update(counts.passed + counts.failed);
        return true;
      },
    },
  );
  progress.stop();
  const seconds = (performance.now() - startedMs) / 1_000;
  const often = [...happenings].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, times]) => `${what} ${times}`);
  process.stdout.write(`${often.join(', ')}\n`);
  process.stdout.write(`${steps} steps in ${seconds.toFixed(1)} s, ${(plans.length / seconds).toFixed(1)} runs/s\n`);
  await reportBars([bar('runs that fail', counts.failed, 'runs', 'at most', 0)], options.json, {
    ...counts,
    steps,
    seconds,
    happenings: Object.fromEntries(happenings),
    failures: failures.map(({ plan, outcome, smallest }) => ({ plan, outcome, smallest })),
  });
  return counts;
}

function* tasksOf(plans: readonly Plan[], { twice }: Options, failed: () => number): Generator<Task> {
  for (const plan of plans) yield { plan, twice, shrinkRunsMax: failed() < SHRUNK_MAX ? SHRINK_RUNS_MAX : 0 };
}

async function plansOf(files: readonly string[], { seeds, from, regressions }: Options): Promise<Plan[]> {
  const kept = regressions
    ? (await readdir(REGRESSIONS)).filter((name) => name.endsWith('.json')).map((name) => join(REGRESSIONS, name))
    : [];
  const read = [...kept, ...files].map(
    async (file) => (JSON.parse(await readFile(file, 'utf8')) as { plan: Plan }).plan,
  );
  const drawn = files.length > 0 ? [] : Array.from({ length: seeds }, (_, index) => planOf(from + index));
  return [...(await Promise.all(read)), ...drawn];
}

function told({ plan, outcome, smallest }: Answer): string {
  const lines = [`seed ${plan.seed} fails:`, ...outcome.failures.map((what) => `  ${what}`)];
  if (smallest !== null) {
    lines.push('  the smallest plan found that fails:');
    lines.push(...smallest.failures.map((what) => `    ${what}`), `    ${JSON.stringify({ plan: smallest.plan })}`);
    lines.push('  keep it as test/simulation/regressions/NAME.json; run it with: npm run sim -- FILE');
  }
  return `${lines.join('\n')}\n`;
}

/** A mutation passes when some seed fails under it. */
async function tryMutations({ from, threads, json }: Options): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  const found: { name: string; seed: number | null; failure: string | null }[] = [];
  const progress = startProgress({
    label: 'mutations',
    total: MUTATIONS.length,
    unit: 'mutations',
    to: process.stderr,
  });
  for (const { name } of MUTATIONS) {
    let caught: Answer | null = null;
    const tasks = Array.from({ length: MUTATION_SEEDS_MAX }, (_, index) => ({
      plan: planOf(from + index),
      twice: false,
      shrinkRunsMax: 0,
    }));
    await runAll(tasks, {
      threads,
      mutation: name,
      answered(answer) {
        if (answer.outcome.failures.length > 0) caught = answer;
        return caught === null;
      },
    });
    const answer = caught as Answer | null;
    const failure = answer?.outcome.failures[0]?.split('\n')[0] ?? null;
    found.push({ name, seed: answer?.plan.seed ?? null, failure });
    process.stdout.write(
      `${name}: ${answer === null ? `not found in ${MUTATION_SEEDS_MAX} seeds` : `seed ${answer.plan.seed}: ${failure}`}\n`,
    );
    if (answer === null) counts.failed += 1;
    else counts.passed += 1;
    progress.update(found.length);
  }
  progress.stop();
  const bars = [bar('mutations that no seed finds', counts.failed, 'mutations', 'at most', 0)];
  await reportBars(bars, json, { ...counts, mutations: found });
  return counts;
}

function whole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new InvalidArgumentError('a whole number, not below 0, is wanted');
  return number;
}
