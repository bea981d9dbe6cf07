/**
 * How late events come, from groups that have been followed for different times: the product-limit estimate of Kaplan & Meier
 * (1958) in reversed time (Lagakos, Barraj & De Gruttola, Biometrika 75, 1988, equation 2), for delays that are known only
 * where they are shorter than the group's age. It compares each group's events with each other alone, so it makes no
 * difference how many of a group have one at all.
 */

/** Who began together. */
export interface FollowedGroup {
  /** First events, by interval of time since then. */
  readonly events: ArrayLike<number>;
  /** So many intervals are over for all of the group; events in later ones are not looked at. */
  readonly intervals: number;
}

/** Fewer events say too little of how many come in their last intervals. */
export const EVENTS_MIN = 10;

/**
 * @returns by interval, the share of events that have come by its end, of those that come by the end of the last: the longest
 *   time that groups with enough events were followed for. Rises, up to 1; empty when no group was.
 */
export function delayShares(groups: readonly FollowedGroup[]): number[] {
  const longest = Math.max(0, ...groups.map(({ intervals }) => intervals));
  const within = new Float64Array(longest);
  const upTo = new Float64Array(longest);
  for (const { events, intervals } of groups) {
    let total = 0;
    for (let interval = 0; interval < intervals; interval++) {
      total += events[interval]!;
      within[interval]! += events[interval]!;
      upTo[interval]! += total;
    }
  }
  const last = upTo.findLastIndex((count) => count >= EVENTS_MIN);
  const shares: number[] = [];
  let share = 1;
  for (let interval = last; interval >= 0; interval--) {
    shares.push(share);
    if (upTo[interval]! > 0) share *= 1 - within[interval]! / upTo[interval]!;
  }
  return shares.reverse();
}
