/**
 * Where each sufficient statistic of one arm stands in its vector. Part of the tallies' format: extended, never reordered.
 */

export interface SumsLayout {
  /** Length of an encoded context; 0 without context. */
  readonly dimension: number;
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
  return { dimension, size: VECTOR_START + dimension + (dimension * (dimension + 1)) / 2 };
}

/** First cell of Σ x·xᵀ. Cell (i, j), j ≤ i, is at gramStart + i(i+1)/2 + j. */
export function gramStart(layout: SumsLayout): number {
  return VECTOR_START + layout.dimension;
}
