/** Purpose: runs one outside command to its end. Owns nothing; not for processes that stay. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface CommandResult {
  /** Undefined when the command could not be run at all or was ended by a signal. */
  readonly exitCode: number | undefined;
  /** Both streams, the last 200 lines. */
  readonly lines: readonly string[];
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs?: number;
  readonly onLine?: (line: string) => void;
}

const LINES_KEPT = 200;

export async function run(command: string, args: readonly string[], options: CommandOptions = {}) {
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  const lines: string[] = [];
  const keep = (line: string) => {
    options.onLine?.(line);
    lines.push(line);
    if (lines.length > LINES_KEPT) lines.shift();
  };
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
  });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', keep);
  child.on('error', (error) => resolve({ exitCode: undefined, lines: [error.message] }));
  child.on('close', (exitCode) => resolve({ exitCode: exitCode ?? undefined, lines }));
  return promise;
}
