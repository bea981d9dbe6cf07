/**
 * Puts a schedule beneath this thread: timers, clocks and chance that anything asks for come from it, whoever asks and
 * however the code is written. Call before a run; for threads that do nothing but simulate.
 */
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import type { Schedule, Step } from './schedule.ts';

let schedule: Schedule | null = null;

class Timer {
  readonly step: Step;

  constructor(step: Step) {
    this.step = step;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/** Timers that were set under another schedule never fire. */
export function runUnder(next: Schedule): void {
  if (schedule === null) replaceRuntime();
  schedule = next;
}

function replaceRuntime(): void {
  const set = (run: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]): Timer =>
    new Timer(schedule!.after(delayMs, 'timer', () => run(...args)));
  const clear = (timer: unknown): void => {
    if (timer instanceof Timer) timer.step.run = null;
  };
  Object.assign(globalThis, {
    setTimeout: set,
    clearTimeout: clear,
    setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) => set(run, 0, ...args),
    clearImmediate: clear,
    setInterval: () => {
      throw new Error('nothing may repeat for ever in a simulation');
    },
  });
  Object.assign(timers, {
    setTimeout: sleep,
    setImmediate: (value: unknown) => sleep(0, value),
  });
  // Modules that have imported them by name see the new ones, too.
  syncBuiltinESMExports();
  Date.now = () => Math.floor(schedule!.nowMs);
  Object.defineProperty(performance, 'now', { value: () => schedule!.nowMs });
  Math.random = () => schedule!.random.next();
}

function sleep(delayMs: number, value?: unknown, { signal }: { signal?: AbortSignal } = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      step.run = null;
      reject(Object.assign(new Error('aborted'), { name: 'AbortError', cause: signal?.reason }));
    };
    const step = schedule!.after(delayMs, 'sleep', () => {
      signal?.removeEventListener('abort', abort);
      resolve(value);
    });
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
