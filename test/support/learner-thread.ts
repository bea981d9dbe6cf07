/** A thread that is told what to do instead of learning: what services/learner/threads.ts has to do with. */
import { parentPort, workerData } from 'node:worker_threads';
import { Invalid } from '../../services/core/errors.ts';
import { answerMainThread } from '../../services/learner/threads.ts';

/** `null` when ready. */
export type Script =
  | { readonly does: 'works'; readonly notReady: string | null; readonly exitCode?: number }
  | { readonly does: 'refuses' | 'throws' | 'is silent' };

const script = workerData as Script;
if (script.does !== 'is silent') {
  const main = answerMainThread(parentPort!, {
    notReady: () => (script.does === 'works' ? script.notReady : null),
    metrics: async () => {
      throw new Error('no metrics today');
    },
    stop: () => process.exit(script.does === 'works' ? (script.exitCode ?? 0) : 0),
  });
  if (script.does === 'refuses') main.refused(new Invalid('unknown-topic', 'there is no topic decisions'));
  else main.started();
  if (script.does === 'throws') {
    // Once the main thread knows that it has started.
    parentPort!.once('message', () => {
      throw new Error('a thread dies');
    });
  }
} else {
  parentPort!.on('message', () => {});
  parentPort!.postMessage('started');
}
