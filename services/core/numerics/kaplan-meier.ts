/**
 * The product-limit estimate (Kaplan & Meier 1958) over groups that are followed for as long as each has been there:
 * whoever nothing has happened to by then is censored, since more may be to come.
 */

/** Who began together, and what has happened to them, by interval of time since then. */
export interface FollowedGroup {
  readonly count: number;
  /** First events by interval. */
  readonly events: ArrayLike<number>;
  /** So many intervals are over for all of the group; events in later ones are not looked at. */
  readonly intervals: number;
}

/** Intervals that only so small a share of all has lived through are not estimated: a single event of theirs would say too much. */
const FOLLOWED_SHARE_MIN = 0.01;

/**
 * @returns by interval, the probability that the event has happened by its end; as many intervals as groups tell of.
 */
export function cumulativeIncidence(groups: readonly FollowedGroup[]): number[] {
  const total = groups.reduce((sum, { count }) => sum + count, 0);
  const atRisk = groups.map(({ count }) => count);
  const incidence: number[] = [];
  let survival = 1;
  for (let interval = 0; ; interval++) {
    let followed = 0;
    let risk = 0;
    let events = 0;
    groups.forEach((group, at) => {
      if (interval >= group.intervals) return;
      followed += group.count;
      risk += atRisk[at]!;
      events += group.events[interval]!;
      atRisk[at]! -= group.events[interval]!;
    });
    if (followed === 0 || followed < FOLLOWED_SHARE_MIN * total) return incidence;
    if (risk > 0) survival *= 1 - events / risk;
    incidence.push(1 - survival);
  }
}
