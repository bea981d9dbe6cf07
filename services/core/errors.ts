/**
 * Errors, named for the reaction they demand of whoever catches them.
 * Not here: what a retry or a dead letter looks like; that is the platform's business.
 */

export abstract class CroupierError extends Error {
  /** Stable, machine-readable; appears in logs, dead letters and API answers. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The input is wrong and will stay wrong: refuse it or dead-letter it; never retry. */
export class Invalid extends CroupierError {}

/** Something outside is away for now: retry within a limit. */
export class Unavailable extends CroupierError {}

/** Someone else owns this now: drop the partition and its memory. */
export class Fenced extends CroupierError {}

/** What we hold contradicts itself: stop loudly, keep the last good output. */
export class Corrupt extends CroupierError {}

/** A mistake of ours, not of the world. */
export class Bug extends CroupierError {
  constructor(message: string) {
    super('bug', message);
  }
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Bug(message);
}

/** Handles an error, where a handler is asked for, by not handling it. */
export function rethrow(error: unknown): never {
  throw error;
}

/** Closes a switch: a case the compiler proved impossible. */
export function unreachable(value: never): never {
  throw new Bug(`unreachable value ${JSON.stringify(value)}`);
}
