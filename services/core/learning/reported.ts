/**
 * One experiment as its partitions report it: which tallies stand, and whether together they are the sums of a cut.
 * Tallies of one cut are written one by one, and may be read so; a snapshot of half of them would reflect no offsets.
 * Owns the merged sums and what is known of each partition.
 */
import { AT_START, type PerStream } from '../events.ts';
import { MergedSums } from './merge.ts';
import { getOrInsert } from './sums.ts';
import { type CohortTally, covers, isSameCut, reflectedBy } from './tally.ts';

/** `newer` has taken effect; `older` and `covered` change nothing: another one stands in its place. */
export type Reception = 'newer' | 'older' | 'covered';

interface Partition {
  readonly tallies: Map<number, CohortTally>;
  rolledUp: CohortTally | undefined;
  /** The newest that any tally reflects. */
  cut: PerStream;
  isComplete: boolean;
}

export class ReportedSums {
  readonly sums = new MergedSums();
  private readonly partitions = new Map<number, Partition>();
  /** Partition count of the inputs; 0 before the first tally. */
  private count = 0;

  /**
   * @param tally kept as it is: do not change it afterwards.
   * @throws Corrupt when tallies are not of one line of owners.
   */
  accept(tally: CohortTally): Reception {
    const { partition, cohort, offsets, sums } = tally;
    this.count = tally.partitions;
    const known = getOrInsert(this.partitions, partition, () => newPartition(tally));
    if (covers(known.rolledUp, tally)) return 'covered';
    const standing = tally.rolledUp ? known.rolledUp : known.tallies.get(cohort);
    if (standing !== undefined && !reflectedBy(standing.offsets, offsets)) return 'older';
    if (tally.rolledUp) {
      const covered = [...known.tallies.values()].filter((other) => covers(tally, other));
      for (const other of covered) known.tallies.delete(other.cohort);
      known.rolledUp = tally;
      this.sums.replaceUpTo(partition, cohort, sums);
    } else {
      known.tallies.set(cohort, tally);
      this.sums.replace(partition, cohort, sums);
    }
    note(known, tally);
    return 'newer';
  }

  /** Whether the sums are those of the cuts. */
  isComplete(): boolean {
    return this.partitions.values().every(({ isComplete }) => isComplete);
  }

  /** @returns by partition, next offsets reflected: of every partition once one has reported, so that readers know how many. */
  cuts(): Map<number, PerStream> {
    const numbers = Array.from({ length: this.count }, (_, partition) => partition);
    return new Map(numbers.map((partition) => [partition, this.partitions.get(partition)?.cut ?? AT_START]));
  }
}

function newPartition({ offsets }: CohortTally): Partition {
  return { tallies: new Map(), rolledUp: undefined, cut: offsets, isComplete: false };
}

/**
 * Counts the tallies of the newest cut. Complete once is complete for ever: whoever publishes the same cut again
 * publishes the same sums.
 */
function note(known: Partition, { offsets }: CohortTally): void {
  if (!reflectedBy(known.cut, offsets)) return;
  if (!isSameCut(known.cut, offsets)) known.isComplete = false;
  known.cut = offsets;
  if (known.isComplete) return;
  const together = [...known.tallies.values(), ...(known.rolledUp === undefined ? [] : [known.rolledUp])].filter(
    (one) => isSameCut(one.offsets, offsets),
  );
  known.isComplete = together.length >= Math.max(...together.map(({ changedTogether }) => changedTogether));
}
