/** Waits for what has no event of its own, such as another process's state. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;

/** @throws Error naming what never came. */
export async function until(what: string, isSo: () => Promise<boolean>, waitMsMax: number): Promise<void> {
  const deadlineMs = performance.now() + waitMsMax;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`not so within ${waitMsMax} ms: ${what}`);
    await delay(POLL_MS);
  }
}
