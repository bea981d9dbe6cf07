/**
 * The books of one partition: every event read stands in exactly one column. Counts are exact and additive.
 */
import type { Stream } from '../events.ts';

export const COUNT_NAMES = [
  'decisionsIn',
  'decisionsJoined',
  'decisionsPending',
  'decisionsExpired',
  'decisionsDuplicate',
  /** Beyond what is learned of one unit within a stretch of log time. */
  'decisionsCrowded',
  'decisionsDeadLettered',
  'rewardsIn',
  'rewardsJoined',
  'rewardsPending',
  'rewardsUnmatched',
  'rewardsDuplicate',
  'rewardsCrowded',
  'rewardsDeadLettered',
  /** Slots whose folded reward lies outside the declared range; not a column of the books. */
  'clipped',
  /** Decisions that a reward fits, but that come before the last ones that may own it; not a column of the books. */
  'passedOver',
] as const;
export type CountName = (typeof COUNT_NAMES)[number];
export type Counts = Record<CountName, number>;

const ZERO = Object.fromEntries(COUNT_NAMES.map((name) => [name, 0])) as Counts;

export function zeroCounts(): Counts {
  return { ...ZERO };
}

export function addCounts(into: Counts, change: Partial<Counts>): void {
  for (const name in change) into[name as CountName] += change[name as CountName]!;
}

/** Adds to one column of a change, which names only the columns that it changes. */
export function addCount(change: Partial<Counts>, name: CountName, more: number): void {
  if (more !== 0) change[name] = (change[name] ?? 0) + more;
}

/**
 * Books that were kept by other definitions. What is settled stays as it was counted.
 * @param open where all that may still change stands by the definitions now: among it all that is pending.
 * @returns books with the same sum of columns, none of them less than what is open in it.
 */
export function restated(counts: Counts, open: Counts): Counts {
  const { rewardsDuplicate: repeats, rewardsUnmatched: unmatched } = counts;
  const duplicate = Math.max(open.rewardsDuplicate, Math.min(repeats, repeats + unmatched - open.rewardsUnmatched));
  return {
    ...counts,
    decisionsPending: open.decisionsPending,
    decisionsJoined: counts.decisionsJoined + counts.decisionsPending - open.decisionsPending,
    rewardsPending: open.rewardsPending,
    rewardsJoined: counts.rewardsJoined + counts.rewardsPending - open.rewardsPending,
    rewardsDuplicate: duplicate,
    rewardsUnmatched: repeats + unmatched - duplicate,
    clipped: Math.max(counts.clipped, open.clipped),
  };
}

/** @returns in − (joined + pending + expired + unmatched + duplicate + crowded + dead-lettered); 0 when nothing was lost. */
export function unaccounted(counts: Counts, stream: Stream): number {
  return stream === 'decisions'
    ? counts.decisionsIn -
        counts.decisionsJoined -
        counts.decisionsPending -
        counts.decisionsExpired -
        counts.decisionsDuplicate -
        counts.decisionsCrowded -
        counts.decisionsDeadLettered
    : counts.rewardsIn -
        counts.rewardsJoined -
        counts.rewardsPending -
        counts.rewardsUnmatched -
        counts.rewardsDuplicate -
        counts.rewardsCrowded -
        counts.rewardsDeadLettered;
}
