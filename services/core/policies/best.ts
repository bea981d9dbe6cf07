/** What policies share: picking the eligible arms' values, and sharing all probability among the greatest scores. */

/**
 * Turns scores into probabilities in place: equal shares for the greatest, ties by exact equality, 0 for the rest.
 * +∞ ties with +∞, so untried arms share.
 */
export function shareAmongBest(scores: Float64Array): Float64Array {
  let best = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! > best) {
      best = scores[i]!;
      count = 1;
    } else if (scores[i]! === best) {
      count++;
    }
  }
  for (let i = 0; i < scores.length; i++) scores[i] = scores[i] === best ? 1 / count : 0;
  return scores;
}

/** The values of the eligible arms, as a new vector. */
export function pick(values: Float64Array, eligible: readonly number[]): Float64Array {
  const picked = new Float64Array(eligible.length);
  for (let i = 0; i < picked.length; i++) picked[i] = values[eligible[i]!]!;
  return picked;
}
