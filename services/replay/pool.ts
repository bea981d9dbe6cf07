/**
 * Partitions on threads: each takes one at a time. Owns its threads, which end with it. Not here: what a thread reads from and
 * writes to (main.ts chooses).
 */
import { parentPort, Worker } from 'node:worker_threads';
import { Corrupt, type CroupierError, Invalid, Unavailable } from '../core/errors.ts';
import type { PartitionProgress, PartitionReplayed } from './partition.ts';

type Answer =
  | { readonly progress: PartitionProgress }
  | { readonly replayed: PartitionReplayed }
  | { readonly error: { readonly name: string; readonly code: string; readonly message: string } };

export class ReplayPool {
  private readonly script: URL;
  private readonly data: unknown;
  private readonly idle: Worker[] = [];
  private readonly all: Worker[] = [];

  /** @param script calls `answerPartitions`. @param data what it is given, as `workerData`. */
  constructor(script: URL, data: unknown) {
    this.script = script;
    this.data = data;
  }

  /** @throws what `replayPartition` threw there. */
  async replayOne(partition: number, onProgress: (progress: PartitionProgress) => void): Promise<PartitionReplayed> {
    const thread = this.idle.pop() ?? this.start();
    const { promise, resolve, reject } = Promise.withResolvers<PartitionReplayed>();
    const take = (answer: Answer): void => {
      if ('progress' in answer) onProgress(answer.progress);
      else if ('replayed' in answer) resolve(answer.replayed);
      else reject(errorOf(answer.error));
    };
    thread.on('message', take).once('error', reject);
    thread.postMessage(partition);
    try {
      return await promise;
    } finally {
      thread.off('message', take).off('error', reject);
      this.idle.push(thread);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((thread) => thread.terminate()));
  }

  private start(): Worker {
    const thread = new Worker(this.script, { workerData: this.data });
    this.all.push(thread);
    return thread;
  }
}

type ReplayOne = (partition: number, onProgress: (progress: PartitionProgress) => void) => Promise<PartitionReplayed>;

/** In a thread: replays the partitions that it is told. Mistakes of ours are thrown on, and end the thread. */
export function answerPartitions(replayOne: ReplayOne): void {
  const port = parentPort!;
  const say = (answer: Answer): void => port.postMessage(answer);
  port.on('message', (partition: number) => {
    replayOne(partition, (progress) => say({ progress })).then(
      (replayed) => say({ replayed }),
      (error: unknown) => {
        if (!KINDS.some((kind) => error instanceof kind)) throw error;
        const { name, code, message } = error as CroupierError;
        say({ error: { name, code, message } });
      },
    );
  });
}

const KINDS = [Invalid, Unavailable, Corrupt];

function errorOf({ name, code, message }: { name: string; code: string; message: string }): CroupierError {
  const Kind = KINDS.find((kind) => kind.name === name)!;
  return new Kind(code, message);
}
