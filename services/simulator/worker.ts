/** A thread that simulates: takes one run's options at a time and answers with its summary, or with why there is none. */
import { parentPort } from 'node:worker_threads';
import { CroupierError } from '../core/errors.ts';
import { type RunOptions, simulate } from './run.ts';
import { type RunSummary, summarize } from './summary.ts';

export type WorkerAnswer =
  | { readonly summary: RunSummary }
  | { readonly error: { readonly code: string; readonly message: string } };

parentPort!.on('message', (options: RunOptions) => {
  parentPort!.postMessage(answer(options));
});

/** A mistake of ours is thrown on, and ends the thread. */
function answer(options: RunOptions): WorkerAnswer {
  try {
    return { summary: summarize(simulate(options)) };
  } catch (error) {
    if (!(error instanceof CroupierError)) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}
