/**
 * Logs: one JSON object a line on standard error, without secrets and without what is told about people.
 * Not here: metrics, and what a command prints for its user.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields that never reach a log, at the top or one level down: credentials, and the context of requests. */
const REDACTED_FIELDS = ['password', 'secret', 'token', 'authorization', 'cookie', 'context', 'features'];

export interface LoggingOptions {
  /** The service that logs, such as `learner`. */
  readonly name: string;
  readonly level: LogLevel;
  /** Standard error unless told otherwise. */
  readonly to?: DestinationStream;
}

export function createLogger({ name, level, to }: LoggingOptions): Logger {
  return pino(
    {
      name,
      level,
      redact: { paths: REDACTED_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '(hidden)' },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    // Synchronous, so that the last words of a process that dies are kept.
    to ?? destination({ dest: 2, sync: true }),
  );
}
