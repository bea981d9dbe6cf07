/**
 * A learner as it is run, measured from outside: its own published progress says how far it is, /proc what it used.
 * Owns the process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { CHECKOUT } from '../../../deploy/local/ensure.ts';

/** That a thread began to read a partition. */
export interface Opening {
  readonly partition: number;
  /** What it was restored from. */
  readonly from: string;
  readonly atMs: number;
}

export interface Usage {
  /** Of all its threads, user and system, in µs. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  readonly atMs: number;
}

export interface CommitTimes {
  readonly seconds: number;
  readonly count: number;
}

const TICK_US = 10_000;
const LINES_KEPT = 20;

export class LearnerProcess {
  private readonly child: ChildProcess;
  private readonly lines: string[] = [];
  private readonly firstOpened = Promise.withResolvers<Usage>();
  private readonly ended = Promise.withResolvers<never>();
  /** In the order of time; a partition that goes from one thread to another is opened again. */
  readonly openings: Opening[] = [];
  /** When all threads were members of the group; 0 before. */
  startedAtMs = 0;
  private port = 0;

  constructor(environment: Readonly<Record<string, string>>, nodeArgs: readonly string[]) {
    this.child = spawn(process.execPath, [...nodeArgs, 'services/learner/main.ts'], {
      cwd: CHECKOUT,
      env: { ...process.env, CROUPIER_LEARNER_PORT: '0', ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    createInterface({ input: this.child.stderr! }).on('line', (line) => {
      this.lines.push(line);
      if (this.lines.length > LINES_KEPT) this.lines.shift();
      this.heed(line);
    });
    this.child.once('close', () => {
      const error = new Error(`the learner stopped:\n${this.lines.join('\n')}`);
      this.firstOpened.reject(error);
      this.ended.reject(error);
    });
    // Who does not ask whether it runs need not know.
    this.ended.promise.catch(() => {});
    this.firstOpened.promise.catch(() => {});
  }

  private heed(line: string): void {
    const atMs = performance.now();
    if (line.includes('"msg":"started"')) {
      this.port = (JSON.parse(line) as { port: number }).port;
      this.startedAtMs = atMs;
    }
    if (!line.includes('"msg":"partition opened"')) return;
    const { partition, from } = JSON.parse(line) as { partition: number; from: string };
    this.openings.push({ partition, from, atMs });
    // From here on it reads.
    this.usage().then(this.firstOpened.resolve, this.firstOpened.reject);
  }

  /** Rejects with its last lines when it has stopped. */
  get stopped(): Promise<never> {
    return this.ended.promise;
  }

  /** What it had used when its first partition began to read. */
  get opened(): Promise<Usage> {
    return this.firstOpened.promise;
  }

  async usage(): Promise<Usage> {
    const stat = await readFile(`/proc/${this.child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = await readFile(`/proc/${this.child.pid}/status`, 'utf8');
    return {
      cpuUs: (Number(fields[11]) + Number(fields[12])) * TICK_US,
      rssBytes: Number(/VmRSS:\s*(\d+)/.exec(status)![1]) * 1024,
      atMs: performance.now(),
    };
  }

  /** @returns what its commits took until now, by its own metrics. */
  async commitTimes(): Promise<CommitTimes> {
    const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    const read = (name: string): number =>
      Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (.+)$`, 'm').exec(text)?.[1] ?? 0);
    return {
      seconds: read('croupier_learner_commit_seconds_sum'),
      count: read('croupier_learner_commit_seconds_count'),
    };
  }

  private hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Without warning, as a machine that loses its power. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  async stop(): Promise<void> {
    if (this.hasExited()) return;
    this.child.kill('SIGTERM');
    await once(this.child, 'exit');
  }
}
