/**
 * What policies get to see of an experiment with a layout: the counts by pattern as they are, and the sums that every
 * policy reads, which follow from them. Not here: scaling and weighing.
 */
import { contextDimension, type Feature, type Layout } from '../experiment.ts';
import { patternFeatures } from '../patterns.ts';
import type { PolicyInput } from '../policies/policy.ts';
import { gramStart, type SumsLayout, sumsLayout, VECTOR_START } from '../sums/layout.ts';

/** @param kept by arm, laid out by `patternLayout`, in natural units. */
export function layoutSums(
  kept: readonly Float64Array[],
  layout: Layout,
  context: readonly Feature[],
): Required<Pick<PolicyInput, 'layout' | 'sums' | 'layouts'>> {
  const counts = kept.map((cells) => cells.subarray(VECTOR_START));
  const count = (counts[0]?.length ?? 0) / 2;
  const patterns = Array.from({ length: count }, (_, pattern) => patternFeatures(context, pattern));
  const sums = sumsLayout(contextDimension(context));
  return {
    layout: sums,
    sums: kept.map((cells, arm) => withMoments(cells, counts[arm]!, patterns, sums)),
    layouts: { layout, context, patterns, counts },
  };
}

/** Σ r·x and Σ x·xᵀ: whole numbers as long as no weights are in the counts, so exact. */
function withMoments(
  cells: Float64Array,
  counts: Float64Array,
  patterns: readonly Float64Array[],
  layout: SumsLayout,
): Float64Array {
  const sums = new Float64Array(layout.size);
  sums.set(cells.subarray(0, VECTOR_START));
  for (const [pattern, x] of patterns.entries()) {
    const n = counts[pattern]!;
    const sumR = counts[patterns.length + pattern]!;
    if (n === 0) continue;
    let cell = gramStart(layout);
    for (let i = 0; i < x.length; i++) {
      sums[VECTOR_START + i]! += sumR * x[i]!;
      for (let j = 0; j <= i; j++) sums[cell++]! += n * x[i]! * x[j]!;
    }
  }
  return sums;
}
