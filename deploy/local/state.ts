/**
 * Purpose: remembers, in `.croupier/stack.json`, which services were started from this checkout and how to stop them.
 * Owns that file and the lock beside it.
 */
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Corrupt, Unavailable } from '../../services/core/errors.ts';
import { SERVICES } from './services.ts';

const startedService = z.discriminatedUnion('from', [
  z.object({ from: z.literal('docker'), address: z.string() }),
  z.object({
    from: z.literal('process'),
    address: z.string(),
    pid: z.int().positive(),
    /** Text that only this process has in its command line: a pid alone may be someone else's by now. */
    marker: z.string().min(1),
    log: z.string(),
  }),
]);
const stackState = z.object({
  /** Where all services answer, whoever started them. */
  addresses: z.record(z.enum(SERVICES), z.string()),
  started: z.partialRecord(z.enum(SERVICES), startedService),
});

export type Started = z.infer<typeof startedService>;
export type StackState = z.infer<typeof stackState>;

const LOCK_WAIT_MS_MAX = 600_000;
const LOCK_POLL_MS = 200;

export function stackFolder(root: string): string {
  return join(root, '.croupier');
}

export async function readState(root: string): Promise<StackState | undefined> {
  const file = join(stackFolder(root), 'stack.json');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return stackState.parse(JSON.parse(text));
  } catch (cause) {
    throw new Corrupt('stack-state', `${file} is not what the stack wrote; stop its services by hand and delete it`, {
      cause,
    });
  }
}

export async function writeState(root: string, state: StackState): Promise<void> {
  const file = join(stackFolder(root), 'stack.json');
  await mkdir(stackFolder(root), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

export async function removeState(root: string): Promise<void> {
  await rm(join(stackFolder(root), 'stack.json'), { force: true });
}

/** Runs `work` while no other process starts or stops the same thing; a lock left by a dead process is taken over. */
export async function withLock<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'stack.lock');
  const waitUntilMs = Date.now() + LOCK_WAIT_MS_MAX;
  while (!(await takeLock(file))) {
    if (Date.now() > waitUntilMs) {
      throw new Unavailable(
        'stack-locked',
        `another process has held ${file} for ${LOCK_WAIT_MS_MAX / 60_000} minutes`,
      );
    }
    await sleep(LOCK_POLL_MS);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function takeLock(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const holder = Number(await readFile(file, 'utf8').catch(() => ''));
  // An empty file is a lock in the making; its holder writes its pid at once.
  if (holder > 0 && !alive(holder)) await rm(file, { force: true });
  return false;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
