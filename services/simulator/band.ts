/** Means over seeds, and how sure they are. */
import jStat from 'jstat';
import { assert } from '../core/errors.ts';

/** A mean over seeds with its 95 % confidence interval by Student's t; without bounds for a single seed. */
export interface Band {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
}

const CONFIDENCE = 0.95;

/** @param values one a seed, at least one. */
export function bandOf(values: readonly number[]): Band {
  assert(values.length > 0, 'a band of no values');
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, low: null, high: null };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = jStat.studentt.inv((1 + CONFIDENCE) / 2, count - 1) * Math.sqrt(variance / count);
  return { mean, low: mean - half, high: mean + half };
}
