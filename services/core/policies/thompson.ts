/** What Thompson sampling with exact selection probabilities is, whatever the posteriors. */
import { type PosteriorFamily, selectionProbabilities } from '../numerics/selection-probabilities.ts';
import { pick, shareByWeight } from './best.ts';
import { freshCopy } from './fresh-vector.ts';
import type { ServingPolicy } from './policy.ts';
import { SubsetMemo } from './subset-memo.ts';

/** One probability for each posterior, Σ = 1. Takes O(K · nodes): at snapshot time, or once for a subset of arms. */
export function selected(family: PosteriorFamily): Float64Array {
  return shareByWeight(selectionProbabilities(family));
}

/**
 * @param whole the probabilities of all arms. @param scores by arm.
 * @param posteriors those of a subset of the arms.
 */
export function thompsonServing(
  whole: Float64Array,
  scores: Float64Array,
  posteriors: (eligible: readonly number[]) => PosteriorFamily,
): ServingPolicy {
  const memo = new SubsetMemo(whole, (eligible) => selected(posteriors(eligible)));
  return {
    probabilities: (_context, eligible) => freshCopy(memo.find(eligible)),
    scores: (_context, eligible) => pick(scores, eligible),
  };
}
