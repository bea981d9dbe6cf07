/**
 * Purpose: starts a process that outlives this one, and later ends it, but only if it is still the same process.
 * Owns no state: pids and markers are kept by state.ts.
 */
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Unavailable } from '../../services/core/errors.ts';
import { run } from './command.ts';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Text in the running process's command line that tells it from any other. */
  readonly marker: string;
}

export interface Running {
  readonly pid: number;
  readonly marker: string;
}

const STOP_WAIT_MS_MAX = 15_000;
const POLL_MS = 50;

/** Starts `program` detached from this process and terminal; its output goes to the file `log`. */
export async function startProcess(program: Program, log: string): Promise<Running> {
  const output = await open(log, 'a');
  try {
    const child = spawn(program.command, program.args, {
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: { ...process.env, ...program.environment },
    });
    const started = Promise.withResolvers<void>();
    child.once('spawn', () => started.resolve()).once('error', started.reject);
    await started.promise;
    child.unref();
    return { pid: child.pid as number, marker: program.marker };
  } catch (cause) {
    throw new Unavailable('stack-start', `${program.command} could not be started`, { cause });
  } finally {
    await output.close();
  }
}

/** True while the process with this pid is the one that was started: it lives, and its command line has the marker. */
export async function isRunning({ pid, marker }: Running): Promise<boolean> {
  return (await commandLine(pid)).includes(marker);
}

/** Asks politely, then insists. A process that is gone, or whose pid now belongs to another, is left alone. */
export async function stopProcess(running: Running): Promise<void> {
  if (!(await isRunning(running))) return;
  signal(running.pid, 'SIGTERM');
  for (let waitedMs = 0; waitedMs < STOP_WAIT_MS_MAX; waitedMs += POLL_MS) {
    if (!(await isRunning(running))) return;
    await sleep(POLL_MS);
  }
  signal(running.pid, 'SIGKILL');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It ended between the look and the signal, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Empty when there is no such process, or only its entry waiting to be collected. */
async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    // No such file: no such process.
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
  }
  return (await run('ps', ['-ww', '-o', 'args=', '-p', String(pid)])).lines.join(' ');
}
