/**
 * The composite Gauss–Legendre rule behind selection probabilities, panel by panel from right to left. A panel is as narrow
 * as the narrowest posterior that is present in it, so neither a narrow posterior is missed nor a flat one resolved too
 * finely. Within a panel the distribution functions come from the same density values by spectral integration, so a node
 * costs one density. Owns its place and its work space, O(K); what it shows of a panel is gone with the next step.
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

/** A value of ∏F to the left of which there is nothing to find. */
export const LOG_NEGLIGIBLE = Math.log(1e-20);

// Own names: the inner loops must not reach through a module's namespace, where a loader makes them do so.
const { INTEGRAL_TO_RIGHT, NODE_COUNT, NODES, WEIGHTS } = rule;

/** Rounding may take the far left tail below zero, where it must stay a usable divisor. */
const DISTRIBUTION_MIN = 1e-20;
/** Products go on as logarithms from here: those of thousands of arms fall below what float64 has. */
const PRODUCT_MIN = 1e-200;

export class PanelWalk {
  readonly family: PosteriorFamily;
  /** Left end of the panel, and right end of the next. */
  left: number;
  half = 0;
  /** Arms with mass in the panel, ascending: the first `presentCount` cells. */
  readonly present: Int32Array;
  presentCount = 0;
  /** f/F and F, 16 values for each arm present, in the order of `present`. */
  readonly ratios: Float64Array;
  readonly distributions: Float64Array;
  /** ln ∏F at each node, … */
  readonly logProducts = new Float64Array(NODE_COUNT);
  /** … and at the left end. */
  logLeftProduct = 0;
  private readonly products = new Float64Array(NODE_COUNT);
  private readonly steps = new Float64Array(NODE_COUNT);
  /** By arm: mass to the right of `left`. */
  private readonly survival: Float64Array;

  constructor(family: PosteriorFamily) {
    const { size } = family;
    assert(size > 0, 'no posterior to select from');
    this.family = family;
    this.left = family.upper.reduce((a, b) => Math.max(a, b));
    this.present = new Int32Array(size);
    this.ratios = new Float64Array(size * NODE_COUNT);
    this.distributions = new Float64Array(size * NODE_COUNT);
    this.survival = new Float64Array(size);
  }

  step(): void {
    const { family, steps, products, logProducts } = this;
    // Half and left are exact differences: of a posterior that is narrow where axis values are coarse, panels that
    // overlapped by a rounding would count some mass twice.
    const middle = this.left - this.width() / 2;
    const half = this.left - middle;
    assert(half > 0, `a posterior is narrower than what float64 resolves at ${this.left}`);
    this.half = half;
    this.left = middle - half;
    for (let k = 0; k < NODE_COUNT; k++) steps[k] = half * NODES[k]!;
    family.openPanel(middle, steps);
    products.fill(1);
    logProducts.fill(0);
    let count = 0;
    for (let arm = 0; arm < family.size; arm++) {
      if (family.upper[arm]! <= this.left) continue;
      this.addArm(arm, count * NODE_COUNT);
      this.present[count++] = arm;
    }
    for (let k = 0; k < NODE_COUNT; k++) logProducts[k]! += Math.log(products[k]!);
    this.presentCount = count;
    this.logLeftProduct = this.leftProduct();
  }

  /** The widest panel that suits every arm within it. */
  private width(): number {
    const { family, left: right } = this;
    let width = Number.POSITIVE_INFINITY;
    for (let arm = 0; arm < family.size; arm++) {
      width = Math.min(width, Math.max(right - family.upper[arm]!, family.panelWidth(arm, right)));
    }
    return width;
  }

  /** Writes one arm's values from `at` on, multiplies it in, and moves its survival to the left end. */
  private addArm(arm: number, at: number): void {
    const { family, half, ratios, distributions, products, logProducts, survival } = this;
    family.densities(arm, ratios, at);
    for (let k = 0; k < NODE_COUNT; k++) {
      let beyond = 0;
      for (let m = 0; m < NODE_COUNT; m++) beyond += INTEGRAL_TO_RIGHT[k * NODE_COUNT + m]! * ratios[at + m]!;
      const distribution = Math.max(1 - survival[arm]! - half * beyond, DISTRIBUTION_MIN);
      distributions[at + k] = distribution;
      products[k]! *= distribution;
      if (products[k]! < PRODUCT_MIN) {
        logProducts[k]! += Math.log(products[k]!);
        products[k] = 1;
      }
    }
    let mass = 0;
    for (let m = 0; m < NODE_COUNT; m++) {
      mass += WEIGHTS[m]! * ratios[at + m]!;
      ratios[at + m]! /= distributions[at + m]!;
    }
    survival[arm]! += half * mass;
  }

  private leftProduct(): number {
    let logarithm = 0;
    let product = 1;
    for (let arm = 0; arm < this.survival.length; arm++) {
      product *= Math.max(1 - this.survival[arm]!, DISTRIBUTION_MIN);
      if (product >= PRODUCT_MIN) continue;
      logarithm += Math.log(product);
      product = 1;
    }
    return logarithm + Math.log(product);
  }
}
