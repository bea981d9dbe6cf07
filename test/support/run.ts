/**
 * Purpose: `npm test`: starts the services that the chosen tests need, runs vitest, stops what it started.
 * Owns nothing that outlives it. Its last line is `N passed, M failed`.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT, ensureStack, type Stack } from '../../deploy/local/ensure.ts';
import { standardErrorReporter } from '../../deploy/local/reporter.ts';
import { CroupierError } from '../../services/core/errors.ts';
import { type Summary, summarize, summaryLine } from './summary.ts';

const HELP = `npm test -- [vitest options] [words in file names]

Runs all tests. Those in files ending in .kafka.test.ts need Kafka, a schema registry and Redis: when such a file is
among the chosen ones, what is not there is started first, as \`npm run stack -- up\` would, and stopped afterwards.
See \`npm run stack -- --help\` for how to use your own.

  npm test -- --project unit         only tests that need nothing but Node
  npm test -- --project kafka        only those that need the services
  npm test -- beta-ts                only files with that in their name
  npm test -- -t 'learned once'      only tests with that in their name
`;

const VITEST = join(CHECKOUT, 'node_modules', 'vitest', 'vitest.mjs');

const reporter = standardErrorReporter('test');
const args = process.argv.slice(2);
const interruption = new AbortController();

if (args.includes('--help') || args.includes('-h')) {
  process.stdout.write(HELP);
} else {
  // What runs below gets the terminal's Ctrl-C itself and ends; this process stays, to stop what it started.
  process.on('SIGINT', () => interruption.abort());
  process.on('SIGTERM', () => interruption.abort());
  const summary = await runTests();
  process.stdout.write(`${summaryLine(summary)}\n`);
  process.exitCode = summary.failed === 0 ? 0 : 1;
}

async function runTests(): Promise<Summary> {
  let stack: Stack | undefined;
  try {
    if (await needsServices()) stack = await ensureStack({ reporter });
    if (interruption.signal.aborted) return { passed: 0, failed: 1 };
    return await runVitest(stack?.variables ?? {});
  } catch (error) {
    if (!(error instanceof CroupierError)) throw error;
    reporter.line(`no test was run: ${error.message}`);
    return { passed: 0, failed: 1 };
  } finally {
    await stack?.stop();
  }
}

async function runVitest(variables: Readonly<Record<string, string>>): Promise<Summary> {
  const folder = await mkdtemp(join(tmpdir(), 'croupier-test-'));
  try {
    const file = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const exitCode = await vitest(['run', ...reporters, ...args], variables);
    const json = await readFile(file, 'utf8').catch(() => undefined); // none: vitest fell over before its report
    return summarize(json, exitCode);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Asks vitest itself which files the arguments choose. */
async function needsServices(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'croupier-list-'));
  try {
    const file = join(folder, 'files.json');
    const exitCode = await vitest(['list', '--filesOnly', `--json=${file}`, ...args], {});
    // Arguments that `list` does not take: better a service too many than a test without one.
    if (exitCode !== 0) return true;
    return (await readFile(file, 'utf8')).includes('.kafka.test.ts');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function vitest(vitestArgs: readonly string[], variables: Readonly<Record<string, string>>) {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const child = spawn(process.execPath, [VITEST, ...vitestArgs], {
    cwd: CHECKOUT,
    stdio: 'inherit',
    env: { ...process.env, ...variables },
  });
  // A terminal has told it already; whoever ends this process by its pid has not.
  process.once('SIGTERM', () => child.kill());
  child.on('error', reject).on('close', (exitCode) => resolve(exitCode ?? undefined));
  return promise;
}
