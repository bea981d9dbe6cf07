/**
 * Learners in threads of one process, as Kafka Streams has stream threads: each is a whole learner with partitions of its
 * own, and they share nothing but the process. Here is what main thread and threads say to each other. Owns the threads.
 */
import { once } from 'node:events';
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { type CroupierError, Unavailable } from '../core/errors.ts';
import type { CollectedMetrics } from '../platform/metrics.ts';

/** What a thread may be asked. */
interface Answers {
  readonly notReady: string | null;
  readonly metrics: CollectedMetrics;
}

/** From the main thread; what has no answer stands alone. */
type Request = 'stop' | { readonly ask: keyof Answers; readonly answerTo: MessagePort };

/** From a thread, once. */
type News = 'started' | { readonly code: string; readonly message: string };

type Answer = { readonly value: Answers[keyof Answers] } | { readonly error: string };

const ANSWER_MS_MAX = 5_000;

export interface LearnerThreadsOptions {
  readonly count: number;
  /** @param thread from 1. */
  spawn(thread: number): Worker;
  /** A thread ended by itself: what it owned is for others, and the process should stop loudly. */
  failed(error: unknown): void;
  /** How long a thread may take to answer. */
  readonly answerMsMax?: number;
}

export class LearnerThreads {
  /** Resolves when all are members of their groups. @throws Unavailable with what the first to fail said. */
  readonly started: Promise<void>;
  private readonly threads: readonly Thread[];

  constructor({ count, spawn, ...options }: LearnerThreadsOptions) {
    this.threads = Array.from({ length: count }, (_, index) => new Thread(index + 1, spawn(index + 1), options));
    this.started = Promise.all(this.threads.map(({ started }) => started)).then(() => {});
  }

  /** `null` when every thread is ready; else what is missing, by thread. A thread that does not answer is not ready. */
  async notReady(): Promise<string | null> {
    const reasons = await Promise.all(
      this.threads.map(async (thread) => {
        const reason = await thread.ask('notReady').catch((error: Error) => error.message);
        return reason === null ? [] : [`thread ${thread.number}: ${reason}`];
      }),
    );
    return reasons.flat().join('; ') || null;
  }

  /** @returns the metrics of each thread. @throws Unavailable when one does not answer. */
  metrics(): Promise<CollectedMetrics[]> {
    return Promise.all(this.threads.map((thread) => thread.ask('metrics')));
  }

  /** Each that still runs hands everything over. @throws Unavailable when one did not do it well. */
  async stop(): Promise<void> {
    const codes = await Promise.all(this.threads.map((thread) => thread.stop()));
    const bad = codes.flatMap((code, index) => (code === 0 ? [] : [`thread ${index + 1} with code ${code}`]));
    if (bad.length > 0) throw new Unavailable('thread-ended', `ended badly: ${bad.join(', ')}`);
  }
}

class Thread {
  readonly number: number;
  readonly started: Promise<void>;
  private readonly worker: Worker;
  private readonly answerMsMax: number;
  private readonly exited: Promise<number>;
  private readonly gone = new AbortController();
  private isStopping = false;

  constructor(
    number: number,
    worker: Worker,
    { failed, answerMsMax }: Pick<LearnerThreadsOptions, 'failed' | 'answerMsMax'>,
  ) {
    const started = Promise.withResolvers<void>();
    const exited = Promise.withResolvers<number>();
    this.number = number;
    this.worker = worker;
    this.answerMsMax = answerMsMax ?? ANSWER_MS_MAX;
    this.started = started.promise;
    this.exited = exited.promise;
    let isStarted = false;
    // Told once: an uncaught error ends the thread as well.
    let isTold = false;
    const fail = (error: unknown): void => {
      if (isTold || this.isStopping) return;
      isTold = true;
      if (isStarted) failed(error);
      else started.reject(error);
    };
    worker.once('message', (news: News) => {
      if (news !== 'started') return fail(new Unavailable(news.code, news.message));
      isStarted = true;
      started.resolve();
    });
    worker.on('error', fail);
    worker.once('exit', (code) => {
      exited.resolve(code);
      this.gone.abort();
      fail(new Unavailable('thread-ended', `thread ${number} ended by itself with code ${code}`));
    });
  }

  async ask<Asked extends keyof Answers>(ask: Asked): Promise<Answers[Asked]> {
    const { port1, port2 } = new MessageChannel();
    this.tell({ ask, answerTo: port2 }, port2);
    try {
      const signal = AbortSignal.any([this.gone.signal, AbortSignal.timeout(this.answerMsMax)]);
      const answered = await once(port1, 'message', { signal });
      const answer = answered[0] as Answer;
      if ('error' in answer) throw new Unavailable('thread-refused', `thread ${this.number}: ${answer.error}`);
      return answer.value as Answers[Asked];
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      const why = this.gone.signal.aborted ? 'has ended' : `did not answer within ${this.answerMsMax} ms`;
      throw new Unavailable('thread-silent', `thread ${this.number} ${why}`, { cause: error });
    } finally {
      port1.close();
    }
  }

  /** @returns its exit code. */
  stop(): Promise<number> {
    this.isStopping = true;
    this.tell('stop');
    return this.exited;
  }

  private tell(request: Request, ...ports: MessagePort[]): void {
    this.worker.postMessage(request, ports);
  }
}

/** What the thread does when it is asked. */
export interface ThreadHandlers {
  notReady(): string | null;
  metrics(): Promise<CollectedMetrics>;
  stop(): void;
}

/** The thread's side: answers from now on. @returns how to tell the main thread that it has started, or could not. */
export function answerMainThread(
  port: MessagePort,
  handlers: ThreadHandlers,
): { started(): void; refused(error: CroupierError): void } {
  port.on('message', (request: Request) => {
    if (request === 'stop') handlers.stop();
    else void answer(request.answerTo, async () => handlers[request.ask]());
  });
  const say = (news: News): void => port.postMessage(news);
  return { started: () => say('started'), refused: ({ code, message }) => say({ code, message }) };
}

async function answer(to: MessagePort, value: () => Promise<Answers[keyof Answers]>): Promise<void> {
  const say = (one: Answer): void => to.postMessage(one);
  try {
    say({ value: await value() });
  } catch (error) {
    // Who asked is told, and handles it.
    say({ error: String(error) });
  } finally {
    to.close();
  }
}
