/**
 * Exact Thompson selection probabilities: p_i = ∫ f_i(t) ∏_{j≠i} F_j(t) dt, the probability that a draw from posterior i
 * is the largest of independent draws from all of them. One composite rule serves every arm (panel-walk.ts), and ends
 * where ∏F no longer matters. O(K · nodes), memory O(K).
 */
import * as rule from './gauss-legendre.ts';
import { LOG_NEGLIGIBLE, PanelWalk, type PosteriorFamily } from './panel-walk.ts';

const { NODE_COUNT, WEIGHTS } = rule;

/** @returns K probabilities, not renormalised: their sum differs from 1 only by the quadrature's error. */
export function selectionProbabilities(family: PosteriorFamily): Float64Array {
  const probabilities = new Float64Array(family.size);
  if (family.size === 1) return probabilities.fill(1);
  const walk = new PanelWalk(family);
  const end = family.lower.reduce((a, b) => Math.max(a, b));
  const terms = new Float64Array(NODE_COUNT);
  do {
    walk.step();
    for (let k = 0; k < NODE_COUNT; k++) terms[k] = walk.half * WEIGHTS[k]! * Math.exp(walk.logProducts[k]!);
    addPanel(probabilities, terms, walk, walk.presentCount);
  } while (walk.left > end && walk.logLeftProduct >= LOG_NEGLIGIBLE);
  return probabilities;
}

/** Adds Σ terms · f/F over the panel's nodes to each arm present. @param terms weight · ∏F at each node. */
export function addPanel(
  probabilities: Float64Array,
  terms: Float64Array,
  { present, ratios }: { readonly present: Int32Array; readonly ratios: Float64Array },
  presentCount: number,
): void {
  for (let p = 0; p < presentCount; p++) {
    const at = p * NODE_COUNT;
    let sum = 0;
    for (let k = 0; k < NODE_COUNT; k++) sum += terms[k]! * ratios[at + k]!;
    probabilities[present[p]!]! += sum;
  }
}
