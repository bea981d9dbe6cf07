/** How far the learners of an installation have come, as the tallies topic tells it. Reads; remembers nothing. */
import type { Codec } from '../contracts/codec.ts';
import type { ProgressTally, Tally } from '../core/learning/tally.ts';
import type { Log } from './log/port.ts';
import { startOf } from './log/read-to-end.ts';
import { readWholes } from './log/read-wholes.ts';

/** @returns the newest progress record of each partition that has one. */
export async function readProgress(log: Log, tallies: string, codec: Codec<Tally>): Promise<ProgressTally[]> {
  const newest = new Map<number, ProgressTally>();
  for await (const { records } of readWholes(log, await startOf(log, tallies))) {
    await codec.prepare(records.map(({ value }) => value));
    for (const { value } of records) {
      const tally = value === null ? null : codec.decode(value);
      if (tally?.kind === 'progress') newest.set(tally.partition, tally);
    }
  }
  return [...newest.values()];
}

/**
 * Whether the books tell of every record from offset 0 on and of no other: not so where sums were begun with, from topics
 * of another number of partitions, or records were left out.
 */
export function isAllFromOffsets(progress: readonly ProgressTally[]): boolean {
  const told = progress.reduce((sum, { counts }) => sum + counts.decisionsIn + counts.rewardsIn, 0);
  const reflected = progress.reduce((sum, { offsets }) => sum + offsets.decisions + offsets.rewards, 0);
  return told === reflected;
}
