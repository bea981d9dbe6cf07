/**
 * Virtual time: what may happen next, in the order of its time, and whose it is. Owns the queue and the clock; all that a
 * run does happens in one of its steps, so that a seed decides the whole run.
 */
import { crc32 } from 'node:zlib';
import type { Random } from '../../../services/core/random.ts';

/** Taken before the runtime is replaced (runtime.ts): the end of a step is when all promises of this thread rest. */
const nextTurn = globalThis.setImmediate;

/** A process within the run: dead, none of its steps happen any more; frozen, they happen later. */
export class Actor {
  readonly name: string;
  alive = true;
  frozenUntilMs = 0;

  constructor(name: string) {
    this.name = name;
  }
}

export interface Step {
  readonly atMs: number;
  readonly number: number;
  readonly actor: Actor | null;
  readonly label: string;
  run: (() => void) | null;
}

export class Schedule {
  nowMs = 0;
  steps = 0;
  /** Whose step runs: what it starts is its own. */
  current: Actor | null = null;
  /** A fingerprint of every step so far: two runs of a seed must end with the same. */
  trace = 0;
  readonly random: Random;
  private readonly heap: Step[] = [];
  private numbers = 0;
  private readonly onStep: ((step: Step) => void) | undefined;

  constructor(random: Random, onStep?: (step: Step) => void) {
    this.random = random;
    this.onStep = onStep;
  }

  /** @returns the step, to cancel it by emptying its `run`. */
  after(delayMs: number, label: string, run: () => void, actor: Actor | null = this.current): Step {
    const step: Step = { atMs: this.nowMs + Math.max(0, delayMs), number: this.numbers++, actor, label, run };
    this.push(step);
    return step;
  }

  /** Runs step after step until done, or until there is none left. @returns whether it was done within so many steps. */
  async run(isDone: () => boolean, stepsMax: number): Promise<boolean> {
    const last = this.steps + stepsMax;
    while (!isDone()) {
      if (this.steps >= last) return false;
      const step = this.take();
      if (step === undefined) return isDone();
      this.nowMs = Math.max(this.nowMs, step.atMs);
      if (step.run === null || step.actor?.alive === false) continue;
      if (step.actor !== null && step.actor.frozenUntilMs > this.nowMs) {
        this.push({ ...step, atMs: step.actor.frozenUntilMs, number: this.numbers++ });
        continue;
      }
      this.steps += 1;
      this.trace = crc32(`${step.label}@${this.nowMs}`, this.trace);
      this.onStep?.(step);
      this.current = step.actor;
      step.run();
      await new Promise(nextTurn);
      this.current = null;
    }
    return true;
  }

  private push(step: Step): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(step);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(step, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = step;
  }

  private take(): Step | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Step, b: Step): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}
