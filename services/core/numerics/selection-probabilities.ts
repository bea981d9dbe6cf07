/**
 * Exact Thompson selection probabilities: p_i = ∫ f_i(t) ∏_{j≠i} F_j(t) dt, the probability that a draw from posterior i
 * is the largest of independent draws from all of them.
 *
 * One composite Gauss–Legendre rule serves every arm. Its panels run from right to left and are as narrow as the
 * narrowest posterior that is present there, so neither a narrow posterior is missed nor a flat one resolved too finely.
 * Within a panel the distribution functions come from the same density values by spectral integration, so a node costs
 * one density. It ends where ∏F no longer matters. O(K · nodes), memory O(K).
 */
import { assert } from '../errors.ts';
import * as rule from './gauss-legendre.ts';

/** K posteriors of one family, on an axis where each density is analytic and unimodal. */
export interface PosteriorFamily {
  readonly size: number;
  /** By arm; outside [lower, upper] lies a mass below 1e-18. */
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  /** The widest panel ending at `right` on which 16 nodes resolve the arm's density and distribution function. */
  panelWidth(arm: number, right: number): number;
  /** Chooses the points that `densities` is about: `middle` and a step, ascending, for each of 16. Keeps `steps`. */
  openPanel(middle: number, steps: Float64Array): void;
  /** Writes the densities of one arm at the panel's points to `into`, from `at` on. */
  densities(arm: number, into: Float64Array, at: number): void;
}

// Own names: the inner loops must not reach through a module's namespace, where a loader makes them do so.
const { INTEGRAL_TO_RIGHT, NODE_COUNT, NODES, WEIGHTS } = rule;

const NEGLIGIBLE = 1e-20;

/** @returns K probabilities, not renormalised: their sum differs from 1 only by the quadrature's error. */
export function selectionProbabilities(family: PosteriorFamily): Float64Array {
  const { size, lower, upper } = family;
  assert(size > 0, 'no posterior to select from');
  const probabilities = new Float64Array(size);
  if (size === 1) return probabilities.fill(1);

  const work: Panel = {
    steps: new Float64Array(NODE_COUNT),
    products: new Float64Array(NODE_COUNT),
    present: new Int32Array(size),
    densities: new Float64Array(size * NODE_COUNT),
    distributions: new Float64Array(size * NODE_COUNT),
    survival: new Float64Array(size),
  };
  const end = lower.reduce((a, b) => Math.max(a, b));
  let right = upper.reduce((a, b) => Math.max(a, b));
  while (right > end) {
    // Half and left are exact differences: of a posterior that is narrow where axis values are coarse, panels that
    // overlapped by a rounding would count some mass twice.
    const middle = right - panelWidthAt(family, right) / 2;
    const half = right - middle;
    assert(half > 0, `a posterior is narrower than what float64 resolves at ${right}`);
    const presentCount = integratePanel(family, middle, half, work);
    addPanel(probabilities, work, half, presentCount);
    right = middle - half;
    if (work.survival.reduce((product, s) => product * Math.max(1 - s, 0), 1) < NEGLIGIBLE) break;
  }
  return probabilities;
}

interface Panel {
  /** From the middle to each point. */
  readonly steps: Float64Array;
  /** ∏ F_j at each point. */
  readonly products: Float64Array;
  /** Arms with mass in the panel. */
  readonly present: Int32Array;
  /** 16 values for each arm present, in the order of `present`. */
  readonly densities: Float64Array;
  readonly distributions: Float64Array;
  /** By arm: mass to the right of the panel's left end. */
  readonly survival: Float64Array;
}

/** The widest panel ending at `right` that suits every arm within it. */
function panelWidthAt(family: PosteriorFamily, right: number): number {
  let width = Number.POSITIVE_INFINITY;
  for (let arm = 0; arm < family.size; arm++) {
    width = Math.min(width, Math.max(right - family.upper[arm]!, family.panelWidth(arm, right)));
  }
  return width;
}

/** Fills the panel and moves `survival` to its left end. @returns how many arms are present. */
function integratePanel(family: PosteriorFamily, middle: number, half: number, panel: Panel): number {
  const { steps, products, present, densities, distributions, survival } = panel;
  for (let k = 0; k < NODE_COUNT; k++) steps[k] = half * NODES[k]!;
  family.openPanel(middle, steps);
  products.fill(1);
  let count = 0;
  for (let arm = 0; arm < family.size; arm++) {
    if (family.upper[arm]! <= middle - half) continue;
    const at = count * NODE_COUNT;
    family.densities(arm, densities, at);
    for (let k = 0; k < NODE_COUNT; k++) {
      let beyond = 0;
      for (let m = 0; m < NODE_COUNT; m++) beyond += INTEGRAL_TO_RIGHT[k * NODE_COUNT + m]! * densities[at + m]!;
      // Rounding may take the far left tail below zero, where it must stay a usable divisor.
      const distribution = Math.max(1 - survival[arm]! - half * beyond, NEGLIGIBLE);
      distributions[at + k] = distribution;
      products[k]! *= distribution;
    }
    let mass = 0;
    for (let m = 0; m < NODE_COUNT; m++) mass += WEIGHTS[m]! * densities[at + m]!;
    survival[arm]! += half * mass;
    present[count++] = arm;
  }
  return count;
}

function addPanel(probabilities: Float64Array, panel: Panel, half: number, presentCount: number): void {
  const { products, present, densities, distributions } = panel;
  for (let p = 0; p < presentCount; p++) {
    const at = p * NODE_COUNT;
    let sum = 0;
    for (let k = 0; k < NODE_COUNT; k++) {
      sum += (WEIGHTS[k]! * densities[at + k]! * products[k]!) / distributions[at + k]!;
    }
    probabilities[present[p]!]! += half * sum;
  }
}
