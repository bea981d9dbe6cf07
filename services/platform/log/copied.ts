/**
 * What `croupier repartition` writes beside a record that it copies: where the record stood, and its log clock there, so
 * that a copy counts as of the time at which its original was appended. Nothing need be believed of it: a copy's time is
 * never later than its own append, and log clocks are running maxima, so whoever makes such a header up can at most
 * claim a time between the record before and now.
 */
import type { LogRecord } from './port.ts';

const HEADER = 'croupier-copied';

/** A record of the topics that were copied from. */
export interface Original {
  readonly partition: number;
  readonly offset: number;
  /** The running maximum of append times in its partition, up to it. */
  readonly clockMs: number;
}

export function copiedFrom({ partition, offset, clockMs }: Original): Readonly<Record<string, string>> {
  return { [HEADER]: `${partition} ${offset} ${clockMs}` };
}

/** @returns `null` when the record is no copy. */
export function originalOf({ headers }: Pick<LogRecord, 'headers'>): Original | null {
  const text = headers[HEADER];
  if (text === undefined) return null;
  const [partition, offset, clockMs, ...others] = text.split(' ').map(Number);
  const isWhole = [partition, offset, clockMs].every((number) => Number.isSafeInteger(number) && number! >= 0);
  return isWhole && others.length === 0 ? { partition: partition!, offset: offset!, clockMs: clockMs! } : null;
}

/** @returns when the record counts as appended. */
export function timeOf(record: Pick<LogRecord, 'appendTimeMs' | 'headers'>): number {
  return Math.min(record.appendTimeMs, originalOf(record)?.clockMs ?? record.appendTimeMs);
}
