/**
 * Takes what several partitions have at hand in the order in which it was appended: who catches up reads a reward after its
 * decision, as those did who read it when it came. A courtesy, since nothing may depend on the order of partitions; what is
 * old is soon read, so that no partition waits for long.
 */
import type { LogRecord, RecordBatch } from './port.ts';

/** A partition with something at hand, records or a gap between them. */
export interface Source {
  /** When what comes next was appended; −∞ for a gap, `null` when nothing is at hand any more. */
  readonly nextTimeMs: number | null;
  /** Whether there is more than is at hand. */
  readonly hasMore: boolean;
  /** Gives at most so many of the next records, ending before the first that was appended later than that. */
  take(maxRecords: number, upToMs: number): RecordBatch;
}

/** @returns a batch of each source that something was taken from. Ends early where it is not known what is oldest. */
export function takeOldestFirst(sources: readonly Source[], maxRecords: number): RecordBatch[] {
  const taken = new Map<Source, RecordBatch & { readonly records: LogRecord[] }>();
  let left = maxRecords;
  while (left > 0) {
    const [oldest, upToMs] = oldestOf(sources);
    if (oldest === null) break;
    const { records: next, ...place } = oldest.take(left, upToMs);
    const records = taken.get(oldest)?.records ?? [];
    for (const record of next) records.push(record);
    taken.set(oldest, { ...place, records });
    left -= next.length;
    if (oldest.nextTimeMs === null && oldest.hasMore) break;
  }
  return [...taken.values()];
}

/** @returns the source whose next record is the oldest, and the time from which on another's would be. */
function oldestOf(sources: readonly Source[]): [Source | null, number] {
  let oldest: Source | null = null;
  let [firstMs, secondMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const source of sources) {
    const { nextTimeMs } = source;
    if (nextTimeMs === null) continue;
    if (oldest === null || nextTimeMs < firstMs) {
      [secondMs, firstMs] = [firstMs, nextTimeMs];
      oldest = source;
    } else secondMs = Math.min(secondMs, nextTimeMs);
  }
  return [oldest, secondMs];
}
