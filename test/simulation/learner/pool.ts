/** Runs plans on as many threads as wanted, and hands on their answers as they come. */
import { Worker } from 'node:worker_threads';
import type { Answer, Task } from './worker.ts';

export interface PoolOptions {
  readonly threads: number;
  /** Of the product's code, by name; `null` for the code as it is. */
  readonly mutation: string | null;
  /** @returns whether to go on. */
  answered(answer: Answer): boolean;
}

export async function runAll(tasks: Iterable<Task>, { threads, mutation, answered }: PoolOptions): Promise<void> {
  const next = tasks[Symbol.iterator]();
  let goesOn = true;
  await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: { mutation } });
      try {
        for (let task = next.next(); goesOn && task.done !== true; task = next.next()) {
          const answer = await ask(worker, task.value);
          if (goesOn) goesOn = answered(answer);
        }
      } finally {
        await worker.terminate();
      }
    }),
  );
}

function ask(worker: Worker, task: Task): Promise<Answer> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (answer: Answer) => {
      worker.off('error', reject);
      resolve(answer);
    });
    worker.postMessage(task);
  });
}
