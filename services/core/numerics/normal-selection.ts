/**
 * Exact selection probabilities of independent normals, p_i = ∫ f_i ∏_{j≠i} F_j, fast enough for every request.
 *
 * Composite Gauss–Legendre from right to left, like selection-probabilities.ts, but with Φ from a table, so that a panel
 * may be several deviations wide. Because Σ_i f_i ∏_{j≠i} F_j is the derivative of ∏F, what a panel adds up to is known
 * beforehand from ∏F at its ends; a panel that misses it is cut in two. So Σp is right to the tolerance by construction,
 * and a posterior too narrow for the panel cannot hide between its nodes.
 * Owns its work space; nothing is allocated by a call.
 */
import { assert } from '../errors.ts';
import * as rule from './gauss-legendre.ts';
import * as normal from './normal-table.ts';

// Own names: the inner loops must not reach through a module's namespace, where a loader makes them do so.
const { NODE_COUNT, NODES, WEIGHTS } = rule;
const { NORMAL_TABLE, REACH, STEPS, TERMS } = normal;

/** In deviations of the narrowest normal within the panel. */
const PANEL_DEVIATIONS = 4;
/** How far a panel's sum may be from the rise of ∏F over it. */
const TOLERANCE = 1e-11;
const CUTS_MAX = 12;
/** What is left to the left of a point with such a ∏F is left out. */
const NEGLIGIBLE = 1e-15;

export class NormalSelection {
  private readonly products = new Float64Array(NODE_COUNT);
  private readonly present: Int32Array;
  /** f/F at the panel's points, 16 for each arm present. */
  private readonly ratios: Float64Array;
  private means: Float64Array = new Float64Array(0);
  private deviations: Float64Array = new Float64Array(0);
  private probabilities: Float64Array = new Float64Array(0);

  /** @param sizeMax the most normals that a call may have. */
  constructor(sizeMax: number) {
    this.present = new Int32Array(sizeMax);
    this.ratios = new Float64Array(sizeMax * NODE_COUNT);
  }

  /**
   * @param means, deviations at least as long as `probabilities`; deviations above 0.
   * @param probabilities its length is the number of normals; receives p, not renormalised: |Σp − 1| ≤ 1e-10.
   */
  select(means: Float64Array, deviations: Float64Array, probabilities: Float64Array): void {
    const size = probabilities.length;
    assert(
      size > 0 && size <= this.present.length,
      `${size} normals to select from, allowed 1 to ${this.present.length}`,
    );
    probabilities.fill(size === 1 ? 1 : 0);
    if (size === 1) return;
    this.means = means;
    this.deviations = deviations;
    this.probabilities = probabilities;
    let right = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < size; i++) right = Math.max(right, means[i]! + REACH * deviations[i]!);
    let product = 1;
    while (product > NEGLIGIBLE) {
      const left = right - this.panelWidth(right);
      product = this.integrate(left, right, product, 0);
      right = left;
    }
  }

  /** The widest panel ending at `right` that suits every normal within it. */
  private panelWidth(right: number): number {
    let width = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.probabilities.length; i++) {
      const deviation = this.deviations[i]!;
      const gap = right - (this.means[i]! + REACH * deviation);
      width = Math.min(width, Math.max(gap, PANEL_DEVIATIONS * deviation));
    }
    return width;
  }

  /** Adds what lies between the ends. @param rightProduct ∏F at the right end. @returns ∏F at the left end. */
  private integrate(left: number, right: number, rightProduct: number, cuts: number): number {
    const middle = (left + right) / 2;
    const half = (right - left) / 2;
    const count = this.openPanel(middle, half);
    const leftProduct = this.productAt(left);
    const total = this.total(count) * half;
    if (Math.abs(total - (rightProduct - leftProduct)) > TOLERANCE && cuts < CUTS_MAX) {
      const middleProduct = this.integrate(middle, right, rightProduct, cuts + 1);
      return this.integrate(left, middle, middleProduct, cuts + 1);
    }
    this.add(count, half);
    return leftProduct;
  }

  /** Fills `products` (with the weights) and `ratios`. @returns how many normals have mass in the panel. */
  private openPanel(middle: number, half: number): number {
    const { products, ratios, present, means, deviations } = this;
    products.set(WEIGHTS);
    let count = 0;
    for (let i = 0; i < this.probabilities.length; i++) {
      const scale = 1 / deviations[i]!;
      const z = (middle - means[i]!) * scale;
      const step = half * scale;
      if (z - step >= REACH) continue;
      const at = count * NODE_COUNT;
      for (let k = 0; k < NODE_COUNT; k++) {
        const zk = Math.min(Math.max(z + step * NODES[k]!, -REACH), REACH);
        const point = ((zk + REACH) * STEPS + 0.5) | 0;
        const d = zk - (point / STEPS - REACH);
        const c = point * TERMS;
        let distribution = NORMAL_TABLE[c + TERMS - 1]!;
        let density = 0;
        for (let n = TERMS - 2; n >= 0; n--) {
          density = density * d + distribution;
          distribution = distribution * d + NORMAL_TABLE[c + n]!;
        }
        products[k]! *= distribution;
        ratios[at + k] = (density * scale) / distribution;
      }
      present[count++] = i;
    }
    return count;
  }

  private total(count: number): number {
    const { products, ratios } = this;
    let total = 0;
    for (let k = 0; k < NODE_COUNT; k++) {
      let sum = 0;
      for (let p = 0; p < count; p++) sum += ratios[p * NODE_COUNT + k]!;
      total += products[k]! * sum;
    }
    return total;
  }

  private add(count: number, half: number): void {
    const { products, ratios, present, probabilities } = this;
    for (let p = 0; p < count; p++) {
      let sum = 0;
      for (let k = 0; k < NODE_COUNT; k++) sum += products[k]! * ratios[p * NODE_COUNT + k]!;
      probabilities[present[p]!]! += half * sum;
    }
  }

  private productAt(t: number): number {
    const { means, deviations } = this;
    let product = 1;
    for (let i = 0; i < this.probabilities.length; i++) {
      const z = Math.min(Math.max((t - means[i]!) / deviations[i]!, -REACH), REACH);
      const point = ((z + REACH) * STEPS + 0.5) | 0;
      const d = z - (point / STEPS - REACH);
      const c = point * TERMS;
      let distribution = NORMAL_TABLE[c + TERMS - 1]!;
      for (let n = TERMS - 2; n >= 0; n--) distribution = distribution * d + NORMAL_TABLE[c + n]!;
      product *= distribution;
    }
    return product;
  }
}
