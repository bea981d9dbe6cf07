/** Cuts records into appends that any topic takes. */
import { appendBytes } from './append-bytes.ts';
import type { AppendRecord } from './port.ts';

/** Below the default limit of a broker, 1,048,588 bytes. */
export const BATCH_BYTES_MAX = 900_000;

/** @yields records in order, as many at once as fit; a larger one alone. */
export function* inBatches(records: readonly AppendRecord[]): Generator<AppendRecord[]> {
  let batch: AppendRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = appendBytes([record]);
    if (batch.length > 0 && bytes + size > BATCH_BYTES_MAX) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
