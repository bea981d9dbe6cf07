/**
 * Loaded into a learner ahead of its own code (NODE_OPTIONS=--import): its second thread dies of an error that nobody
 * catches as soon as the file named by DIE_WHEN is there.
 */
import { existsSync } from 'node:fs';
import { threadId } from 'node:worker_threads';

const LOOK_EVERY_MS = 20;

if (threadId === 2) {
  const looking = setInterval(() => {
    if (!existsSync(process.env.DIE_WHEN!)) return;
    clearInterval(looking);
    throw new Error('this thread dies');
  }, LOOK_EVERY_MS);
}
