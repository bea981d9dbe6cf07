/**
 * Python with what deploy/examples/python needs: a virtual environment that is made at its first use and kept in
 * .croupier, one for each set of packages and version of Python. Owns that folder.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../../../deploy/local/ensure.ts';
import { type Reporter, seconds } from '../../../deploy/local/reporter.ts';
import { Unavailable } from '../../../services/core/errors.ts';

const EXAMPLES = join(CHECKOUT, 'deploy', 'examples', 'python');
const REQUIREMENTS = join(EXAMPLES, 'requirements.txt');
const CONSTRAINTS = join(import.meta.dirname, 'constraints.txt');
const INSTALL = ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check', '--only-binary=:all:'];

const APT = 'a Debian gets it by `apt-get install python3-venv`';
const INDEX = 'pip gets them from https://pypi.org, or from an index of your own: PIP_INDEX_URL';

/** @throws Unavailable naming what is missing and the command that gets it: such a test must fail, never be skipped. */
export async function ensurePython(reporter: Reporter): Promise<Python> {
  const version = await attempt('python3', ['--version'], 'Python 3 is needed', APT);
  const hash = createHash('sha256')
    .update(version)
    .update(readFileSync(REQUIREMENTS))
    .update(readFileSync(CONSTRAINTS));
  const folder = join(CHECKOUT, '.croupier', `python-${hash.digest('hex').slice(0, 12)}`);
  if (!existsSync(folder)) await makeEnvironment(folder, reporter);
  return new Python(folder);
}

/** Made beside its place and moved there when it is whole, so that no half of one is ever used. */
async function makeEnvironment(folder: string, reporter: Reporter): Promise<void> {
  const startedMs = performance.now();
  reporter.line(`making the Python environment ${folder}, once, about 30 s`);
  const unfinished = `${folder}.${process.pid}`;
  try {
    await mkdir(join(folder, '..'), { recursive: true });
    await attempt('python3', ['-m', 'venv', unfinished], "Python's venv is needed", APT);
    reporter.line(`installing the packages of ${REQUIREMENTS}`);
    const packages = ['--requirement', REQUIREMENTS, '--constraint', CONSTRAINTS];
    await attempt(
      interpreterOf(unfinished),
      [...INSTALL, ...packages],
      'the packages of deploy/examples/python are needed',
      INDEX,
    );
    // Another run may have been first: then its environment is as good.
    await rename(unfinished, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  reporter.line(`Python environment ready after ${seconds(startedMs)}`);
}

export class Python {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Runs one of the examples. @returns what it printed. @throws Error with what it said when it did not do well. */
  run(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    return execute(interpreterOf(this.folder), [join(EXAMPLES, script), ...args], env);
  }
}

function interpreterOf(folder: string): string {
  return join(folder, 'bin', 'python');
}

async function attempt(command: string, args: readonly string[], needed: string, remedy: string): Promise<string> {
  try {
    return await execute(command, args, {});
  } catch (cause) {
    throw new Unavailable('python', `${needed}; ${remedy}. ${(cause as Error).message}`, { cause });
  }
}

function execute(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }));
    });
  });
}
