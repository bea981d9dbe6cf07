/**
 * Where the delays of one cohort stand in their vector: how many slots were dealt in each tick of the cohort, then how many
 * of them got their first reward in each bucket of delay. Counts alone, so exact; over all arms and the holdout, since how
 * late rewards come is taken to be the same for all. Part of the tallies' format: extended, never reordered.
 *
 * Buckets grow with the delay: each halving of the window from the longest delay down is cut into four. Edges are products
 * with powers of two and quarters, which every machine computes to the same bits.
 */

/** Even parts of a cohort, by which it is known when its slots were dealt. */
export const DELAY_TICKS = 16;
const BUCKETS_AN_OCTAVE = 4;
const OCTAVES = 16;
/** All that comes within 2⁻¹⁶ of the window is in the first one. */
export const DELAY_BUCKETS = 1 + BUCKETS_AN_OCTAVE * OCTAVES;
/** First cell of the buckets; ticks stand before it. */
export const FIRST_REWARDS = DELAY_TICKS;
export const DELAYS_SIZE = DELAY_TICKS + DELAY_BUCKETS;

/** @param timeMs of a decision. @returns the tick of its cohort. */
export function tickOf(timeMs: number, cohortMs: number): number {
  return Math.floor(((timeMs % cohortMs) * DELAY_TICKS) / cohortMs);
}

/** @param delayMs 0 to windowMs. @returns the bucket: the first whose end is not before the delay. */
export function delayBucket(delayMs: number, windowMs: number): number {
  let scaledMs = delayMs;
  for (let octave = OCTAVES; octave > 0; octave--, scaledMs *= 2) {
    const beyondHalf = 2 * scaledMs - windowMs;
    if (beyondHalf > 0)
      return BUCKETS_AN_OCTAVE * (octave - 1) + Math.ceil((BUCKETS_AN_OCTAVE * beyondHalf) / windowMs);
  }
  return 0;
}

/** @returns the longest delay of a bucket; the last one's is the window. */
export function bucketEndMs(bucket: number, windowMs: number): number {
  if (bucket === 0) return windowMs / 2 ** OCTAVES;
  const octave = Math.ceil(bucket / BUCKETS_AN_OCTAVE);
  const quarters = bucket - BUCKETS_AN_OCTAVE * (octave - 1);
  return (windowMs * (1 + quarters / BUCKETS_AN_OCTAVE)) / 2 ** (OCTAVES - octave + 1);
}
