/**
 * The life of a service's process: it runs until SIGTERM, SIGINT or a fatal error, then stops its parts, the last started
 * first, within a deadline. Owns the list of parts and the exit code. Used by main.ts files only.
 */
import type { Logger } from './logging.ts';

/** What a process offers; the real one, or a test's. */
export interface ProcessPort {
  on(event: 'SIGTERM' | 'SIGINT', handler: () => void): unknown;
  on(event: 'uncaughtException' | 'unhandledRejection', handler: (error: unknown) => void): unknown;
  exit(code: number): void;
}

export interface LifecycleOptions {
  readonly logger: Logger;
  /** For stopping all parts; after it the process exits with code 1. */
  readonly stopMsMax: number;
  readonly process: ProcessPort;
}

export class Lifecycle {
  private readonly options: LifecycleOptions;
  private readonly parts: { readonly name: string; readonly stop: () => Promise<void> | void }[] = [];
  private stopping: Promise<void> | null = null;
  private exitCode = 0;

  /** Listens to signals and to errors that nobody caught from here on. */
  constructor(options: LifecycleOptions) {
    this.options = options;
    const { logger, process } = options;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        logger.info({ signal }, 'stopping');
        void this.stop();
      });
    }
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(event, (error) => this.fail(error));
    }
  }

  /** A part that runs: stopped before the parts that were started before it. */
  started(name: string, stop: () => Promise<void> | void): void {
    this.parts.push({ name, stop });
  }

  /** The service cannot go on: stops everything, exit code 1. */
  fail(error: unknown): void {
    this.options.logger.fatal({ err: error }, 'cannot go on');
    this.exitCode = 1;
    void this.stop();
  }

  /** Stops everything, once, and exits. A part that fails to stop does not keep the others from stopping. */
  stop(): Promise<void> {
    this.stopping ??= this.stopParts();
    return this.stopping;
  }

  private async stopParts(): Promise<void> {
    const { logger, process, stopMsMax } = this.options;
    let part = this.parts.pop();
    const deadline = setTimeout(() => {
      logger.error({ stopMsMax, part: part?.name }, 'not stopped in time');
      process.exit(1);
    }, stopMsMax);
    for (; part !== undefined; part = this.parts.pop()) {
      try {
        await part.stop();
      } catch (error) {
        logger.error({ err: error, part: part.name }, 'did not stop cleanly');
        this.exitCode = 1;
      }
    }
    clearTimeout(deadline);
    process.exit(this.exitCode);
  }
}

/** Exit code of a process that a closed pipe ended, as shells have it: 128 and the number of SIGPIPE. */
const UNREAD = 141;

/** Ends a command quietly when nobody reads any more what it prints, as `… | head` does. */
export function endWhenUnread(stdout: NodeJS.WriteStream): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(UNREAD);
  });
}
