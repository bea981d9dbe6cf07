/** Something happened: wakes all who wait for it. Keeps no memory of what nobody waited for. */
export class Signal {
  readonly #waiting = new Set<() => void>();

  /** Resolves at the next `fire`, or after the wait. */
  wait(waitMsMax: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, waitMsMax);
      this.#waiting.add(done);
    });
  }

  fire(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
