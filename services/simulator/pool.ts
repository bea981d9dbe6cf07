/** Runs simulations on all cores. Owns its threads, which end with it. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Invalid } from '../core/errors.ts';
import type { RunOptions } from './run.ts';
import type { RunSummary } from './summary.ts';
import type { WorkerAnswer } from './worker.ts';

/**
 * @param onDone told how many runs are done.
 * @returns in the order of `runs`, whatever order they finish in.
 * @throws Invalid as `simulate` does, for the first run that fails.
 */
export async function simulateAll(
  runs: readonly RunOptions[],
  onDone: (runs: number) => void,
): Promise<readonly RunSummary[]> {
  const finished: RunSummary[] = [];
  let next = 0;
  let done = 0;
  const threads = Array.from(
    { length: Math.min(availableParallelism(), runs.length) },
    () => new Worker(new URL('./worker.ts', import.meta.url)),
  );
  async function work(thread: Worker): Promise<void> {
    for (let at = next++; at < runs.length; at = next++) {
      finished[at] = await ask(thread, runs[at]!);
      done += 1;
      onDone(done);
    }
  }
  try {
    await Promise.all(threads.map(work));
    return finished;
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

async function ask(thread: Worker, options: RunOptions): Promise<RunSummary> {
  const { promise, resolve, reject } = Promise.withResolvers<WorkerAnswer>();
  thread.once('message', resolve);
  thread.once('error', reject);
  thread.postMessage(options);
  try {
    const answer = await promise;
    if ('error' in answer) throw new Invalid(answer.error.code, answer.error.message);
    return answer.summary;
  } finally {
    thread.removeListener('message', resolve);
    thread.removeListener('error', reject);
  }
}
