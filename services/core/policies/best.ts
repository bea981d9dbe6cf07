/** What policies share: picking the eligible arms' values, and turning scores into probabilities, in place. */
import { Invalid } from '../errors.ts';
import { freshVector } from './fresh-vector.ts';

/**
 * Equal shares for the greatest scores, ties by exact equality, 0 for the rest.
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

/** Shares in proportion to weights of at least 0; equal ones when all weights are 0. */
export function shareByWeight(weights: Float64Array): Float64Array {
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i]!;
  for (let i = 0; i < weights.length; i++) weights[i] = total > 0 ? weights[i]! / total : 1 / weights.length;
  return weights;
}

/** Shares in proportion to e to the power of the logarithms, of which no difference is too large. */
export function shareByLogWeight(logarithms: Float64Array): Float64Array {
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logarithms.length; i++) greatest = Math.max(greatest, logarithms[i]!);
  for (let i = 0; i < logarithms.length; i++) logarithms[i] = Math.exp(logarithms[i]! - greatest);
  return shareByWeight(logarithms);
}

/** Spreads the share ε evenly, and leaves 1 − ε as it is. */
export function mixEvenly(probabilities: Float64Array, epsilon: number): Float64Array {
  const each = epsilon / probabilities.length;
  for (let i = 0; i < probabilities.length; i++) probabilities[i] = (1 - epsilon) * probabilities[i]! + each;
  return probabilities;
}

/** The values of the eligible arms, as a new vector. @throws Invalid `arms-none` when no arm is eligible. */
export function pick(values: Float64Array, eligible: readonly number[]): Float64Array {
  if (eligible.length === 0) throw new Invalid('arms-none', 'no arm is eligible, at least one is needed');
  const picked = freshVector(eligible.length);
  for (let i = 0; i < picked.length; i++) picked[i] = values[eligible[i]!]!;
  return picked;
}
