/**
 * Where each sufficient statistic of one arm stands in its vector. Part of the tallies' format: extended, never reordered.
 */

export interface SumsLayout {
  /** Length of an encoded context; 0 without context, or where patterns are counted instead. */
  readonly dimension: number;
  /** How many patterns of the context are counted apart; 0 where none is. */
  readonly patterns: number;
  /** Length of the whole vector. */
  readonly size: number;
}

/** Slots dealt, whether or not they count yet. */
export const PULLS = 0;
/** Slots whose reward counts: those with a reward, and the imputed ones. */
export const N = 1;
/** Σ r, in reward units. */
export const SUM_R = 2;
/** Σ r², in reward units². */
export const SUM_RR = 3;
/** Σ r/p, each term rounded to reward units, p the logged propensity. */
export const SUM_R_OVER_P = 4;
/** Σ r·x, d cells, in reward × feature units. Then Σ x·xᵀ, d(d+1)/2 cells packed by rows of the lower triangle, in feature units². */
export const VECTOR_START = 5;

export function sumsLayout(dimension: number): SumsLayout {
  return { dimension, patterns: 0, size: VECTOR_START + dimension + (dimension * (dimension + 1)) / 2 };
}

/**
 * In place of Σ r·x and Σ x·xᵀ, which follow from it: a table of n by pattern, from VECTOR_START on, then one of Σ r in
 * reward units. @param patterns at least 1 (core/patterns.ts).
 */
export function patternLayout(patterns: number): SumsLayout {
  return { dimension: 0, patterns, size: VECTOR_START + 2 * patterns };
}

/** First cell of Σ x·xᵀ. Cell (i, j), j ≤ i, is at gramStart + i(i+1)/2 + j. */
export function gramStart(layout: SumsLayout): number {
  return VECTOR_START + layout.dimension;
}
