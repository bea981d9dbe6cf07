/** A thread that runs plans, one at a time, on a schedule of its own; asked and answered by messages. */
import { parentPort, workerData } from 'node:worker_threads';
import { applyMutation } from './mutations.ts';
import type { Plan } from './plan.ts';
import type { Outcome } from './simulation.ts';

export interface Task {
  readonly plan: Plan;
  /** Runs tried to make the plan smaller, should it fail. */
  readonly shrinkRunsMax: number;
  /** A second run must leave the same trace. */
  readonly twice: boolean;
}

export interface Answer {
  readonly plan: Plan;
  readonly outcome: Outcome;
  /** Of a failing plan, the smallest that still fails, and what it fails with. */
  readonly smallest: { readonly plan: Plan; readonly failures: readonly string[] } | null;
}

// Thousands of refusals a second: where each came from costs more than what it says.
Error.stackTraceLimit = 3;

const { mutation } = workerData as { mutation: string | null };
// Before any of the product's code is loaded.
if (mutation !== null) applyMutation(mutation);
const { simulate } = await import('./simulation.ts');
const { shrink } = await import('./shrink.ts');

parentPort!.on('message', (task: Task) => void answer(task).then((answered) => parentPort!.postMessage(answered)));

async function answer({ plan, shrinkRunsMax, twice }: Task): Promise<Answer> {
  const outcome = await simulate(plan);
  const again = twice ? await simulate(plan) : outcome;
  if (again.trace !== outcome.trace) {
    const failures = [...outcome.failures, 'the same seed ran in two ways: something escapes the schedule'];
    return { plan, outcome: { ...outcome, failures }, smallest: null };
  }
  if (outcome.failures.length === 0 || shrinkRunsMax === 0) return { plan, outcome, smallest: null };
  const smallest = await shrink(plan, async (smaller) => (await simulate(smaller)).failures.length > 0, shrinkRunsMax);
  return { plan, outcome, smallest: { plan: smallest, failures: (await simulate(smallest)).failures } };
}
