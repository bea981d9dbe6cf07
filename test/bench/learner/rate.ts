/** What each contender is measured by. */
import { median } from '../measure.ts';

export interface Rate {
  readonly events: number;
  readonly eventsPerSecond: number;
  /** Of the whole process, all its threads. */
  readonly cpuUsPerEvent: number;
}

/** Field by field. @param runs at least one. */
export function medianOf<T extends Readonly<Record<keyof T, number>>>(runs: readonly T[]): T {
  const fields = Object.keys(runs[0]!) as (keyof T)[];
  return Object.fromEntries(fields.map((field) => [field, median(runs.map((run) => run[field]))])) as T;
}
