/**
 * Fair turns among partitions that have records: each gets an equal share of one poll, what one leaves goes to the
 * next, and the first place moves on from poll to poll.
 */
import type { RecordBatch } from './port.ts';

/**
 * @param ready sources that have something now.
 * @param turn counts the polls; decides who comes first.
 * @param take gives at most so many records of a source.
 */
export function takeTurns<Source>(
  ready: readonly Source[],
  options: { readonly turn: number; readonly maxRecords: number },
  take: (source: Source, maxRecords: number) => RecordBatch,
): RecordBatch[] {
  const batches: RecordBatch[] = [];
  let left = options.maxRecords;
  for (let i = 0; i < ready.length && left > 0; i++) {
    const source = ready[(options.turn + i) % ready.length]!;
    const batch = take(source, Math.ceil(left / (ready.length - i)));
    left -= batch.records.length;
    batches.push(batch);
  }
  return batches;
}
