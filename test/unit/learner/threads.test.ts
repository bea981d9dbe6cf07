import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { LearnerThreads } from '../../../services/learner/threads.ts';
import type { Script } from '../../support/learner-thread.ts';

const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

function threadsOf(...scripts: readonly Script[]) {
  const isSilent = scripts.some(({ does }) => does === 'is silent');
  const failures: unknown[] = [];
  const failed = Promise.withResolvers<unknown>();
  const threads = new LearnerThreads({
    count: scripts.length,
    spawn: (thread) => {
      const worker = new Worker(new URL('../../support/learner-thread.ts', import.meta.url), {
        workerData: scripts[thread - 1],
      });
      workers.push(worker);
      return worker;
    },
    failed: (error) => {
      failures.push(error);
      failed.resolve(error);
    },
    ...(isSilent ? { answerMsMax: 200 } : {}),
  });
  return { threads, failures, failed: failed.promise };
}

const WORKS: Script = { does: 'works', notReady: null };

it('learners in threads are ready when all are, and say which lacks what', async () => {
  const { threads } = threadsOf(WORKS, WORKS);
  await threads.started;
  expect(await threads.notReady()).toBeNull();
  const others = threadsOf(WORKS, { does: 'works', notReady: 'partitions being restored: 3' }).threads;
  await others.started;
  expect(await others.notReady()).toBe('thread 2: partitions being restored: 3');
});

it('a thread that does not answer is not ready', async () => {
  const { threads } = threadsOf(WORKS, { does: 'is silent' });
  await threads.started;
  expect(await threads.notReady()).toContain('thread 2 did not answer within 200 ms');
});

it('a thread that cannot be asked for its metrics says why', async () => {
  const { threads } = threadsOf(WORKS);
  await threads.started;
  await expect(threads.metrics()).rejects.toThrow('thread 1: Error: no metrics today');
});

it('a thread that refuses to start is told of with its own code', async () => {
  const { threads } = threadsOf(WORKS, { does: 'refuses' });
  await expect(threads.started).rejects.toMatchObject({ code: 'unknown-topic' });
});

it('a thread that dies is told of once, and the others can still be stopped', async () => {
  const { threads, failures, failed } = threadsOf(WORKS, { does: 'throws' });
  await threads.started;
  await threads.notReady();
  expect(String(await failed)).toContain('a thread dies');
  await expect(threads.stop()).rejects.toThrow('thread 2 with code 1');
  expect(failures).toHaveLength(1);
});

it('threads that are stopped have ended, and one that did it badly is told of', async () => {
  const { threads, failures } = threadsOf(WORKS, WORKS);
  await threads.started;
  await threads.stop();
  expect(failures).toEqual([]);
  const bad = threadsOf({ ...WORKS, exitCode: 3 }, WORKS).threads;
  await bad.started;
  await expect(bad.stop()).rejects.toThrow('thread 1 with code 3');
});
