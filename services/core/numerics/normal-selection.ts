/**
 * Exact selection probabilities of independent normals, p_i = ∫ f_i ∏_{j≠i} F_j, fast enough for every request.
 *
 * Composite Gauss–Legendre from right to left, like selection-probabilities.ts, but with Φ from a table, so that a panel
 * may be several deviations wide. Because Σ_i f_i ∏_{j≠i} F_j is the derivative of ∏F, what a panel adds up to is known
 * beforehand from ∏F at its ends; a panel that misses it is cut in two. So Σp is right to the tolerance by construction,
 * and a posterior too narrow for the panel cannot hide between its nodes.
 * Owns its work space; nothing is allocated by a call.
 */
import { Bug } from '../errors.ts';
import * as rule from './gauss-legendre.ts';
import * as normal from './normal-table.ts';

// Own names: the inner loops must not reach through a module's namespace, where a loader makes them do so.
const { NODE_COUNT, NODES, WEIGHTS } = rule;
const { NORMAL_TABLE, REACH, STEPS, TERMS } = normal;

/** In deviations of the narrowest normal within the panel. */
const PANEL_DEVIATIONS = 4;
/** How far a panel's sum may be from the rise of ∏F over it. */
const TOLERANCE = 1e-11;
/** A panel is cut into halves at most so many times, whatever it still misses. */
const CUTS_MAX = 5;
/** What is left to the left of a point with such a ∏F is left out. */
const NEGLIGIBLE = 1e-15;

/** Cells of `panel`. */
const LEFT = 0;
const RIGHT = 1;
/** ∏F at the two ends. */
const LEFT_PRODUCT = 2;
const RIGHT_PRODUCT = 3;

export class NormalSelection {
  /** Where the panel is: in cells, since a number that crosses a call may be put on the heap. */
  private readonly panel = new Float64Array(4);
  /** Left ends of the panels that wait, of which the one that is open was cut off. */
  private readonly lefts = new Float64Array(CUTS_MAX + 2);
  private readonly products = new Float64Array(NODE_COUNT);
  private readonly present: Int32Array;
  /** f/F at the panel's points, 16 for each arm present. */
  private readonly ratios: Float64Array;
  /** Means from where ∏F begins: there the narrowest normal that matters is, and needs the finest points. */
  private readonly locations: Float64Array;
  private deviations: Float64Array = new Float64Array(0);
  private probabilities: Float64Array = new Float64Array(0);

  /** @param sizeMax the most normals that a call may have. */
  constructor(sizeMax: number) {
    this.locations = new Float64Array(sizeMax);
    this.present = new Int32Array(sizeMax);
    this.ratios = new Float64Array(sizeMax * NODE_COUNT);
  }

  /**
   * @param means, deviations at least as long as `probabilities`; deviations above 0.
   * @param probabilities its length is the number of normals; receives p, not renormalised: |Σp − 1| ≤ 1e-9.
   */
  select(means: Float64Array, deviations: Float64Array, probabilities: Float64Array): void {
    const size = probabilities.length;
    const sizeMax = this.present.length;
    if (size < 1 || size > sizeMax) throw new Bug(`${size} normals to select from, allowed 1 to ${sizeMax}`);
    probabilities.fill(size === 1 ? 1 : 0);
    if (size === 1) return;
    this.deviations = deviations;
    this.probabilities = probabilities;
    const { panel, locations } = this;
    let end = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < size; i++) end = Math.max(end, means[i]! - REACH * deviations[i]!);
    panel[RIGHT] = 0;
    for (let i = 0; i < size; i++) {
      locations[i] = means[i]! - end;
      panel[RIGHT] = Math.max(panel[RIGHT]!, locations[i]! + REACH * deviations[i]!);
    }
    panel[RIGHT_PRODUCT] = 1;
    while (panel[RIGHT_PRODUCT]! > NEGLIGIBLE) this.integratePanel();
  }

  /** Adds the widest panel that suits every normal within it, in as many cuts as it takes, and moves on to its left. */
  private integratePanel(): void {
    const { panel, lefts, locations, deviations } = this;
    let width = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.probabilities.length; i++) {
      const deviation = deviations[i]!;
      const gap = panel[RIGHT]! - (locations[i]! + REACH * deviation);
      width = Math.min(width, Math.max(gap, PANEL_DEVIATIONS * deviation));
    }
    lefts[0] = panel[RIGHT]! - width;
    let cuts = 0;
    while (cuts >= 0) {
      panel[LEFT] = lefts[cuts]!;
      const count = this.openPanel();
      if (panel[RIGHT]! - panel[LEFT]! > width / 2 ** CUTS_MAX && this.misses(count)) {
        lefts[++cuts] = (panel[LEFT]! + panel[RIGHT]!) / 2;
        continue;
      }
      this.add(count);
      panel[RIGHT] = panel[LEFT]!;
      panel[RIGHT_PRODUCT] = panel[LEFT_PRODUCT]!;
      cuts--;
    }
  }

  /** Fills `products` (with the weights), `ratios` and ∏F at the left end. @returns how many normals have mass in the panel. */
  private openPanel(): number {
    const { panel, products, ratios, present, locations, deviations } = this;
    const middle = (panel[LEFT]! + panel[RIGHT]!) / 2;
    const half = (panel[RIGHT]! - panel[LEFT]!) / 2;
    products.set(WEIGHTS);
    panel[LEFT_PRODUCT] = 1;
    let count = 0;
    for (let i = 0; i < this.probabilities.length; i++) {
      const scale = 1 / deviations[i]!;
      const z = (middle - locations[i]!) * scale;
      const step = half * scale;
      if (z - step >= REACH) continue;
      panel[LEFT_PRODUCT]! *= distributionAt(z - step);
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

  /** Whether the panel does not add up to the rise of ∏F over it. */
  private misses(count: number): boolean {
    const { panel, products, ratios } = this;
    let total = 0;
    for (let k = 0; k < NODE_COUNT; k++) {
      let sum = 0;
      for (let p = 0; p < count; p++) sum += ratios[p * NODE_COUNT + k]!;
      total += products[k]! * sum;
    }
    const rise = panel[RIGHT_PRODUCT]! - panel[LEFT_PRODUCT]!;
    return Math.abs((total * (panel[RIGHT]! - panel[LEFT]!)) / 2 - rise) > TOLERANCE;
  }

  private add(count: number): void {
    const { panel, products, ratios, present, probabilities } = this;
    const half = (panel[RIGHT]! - panel[LEFT]!) / 2;
    for (let p = 0; p < count; p++) {
      let sum = 0;
      for (let k = 0; k < NODE_COUNT; k++) sum += products[k]! * ratios[p * NODE_COUNT + k]!;
      probabilities[present[p]!]! += half * sum;
    }
  }
}

/** Φ, from z = −8.5 on; below it is Φ(−8.5). */
function distributionAt(z: number): number {
  const within = Math.max(z, -REACH);
  const point = ((within + REACH) * STEPS + 0.5) | 0;
  const d = within - (point / STEPS - REACH);
  const c = point * TERMS;
  let distribution = NORMAL_TABLE[c + TERMS - 1]!;
  for (let n = TERMS - 2; n >= 0; n--) distribution = distribution * d + NORMAL_TABLE[c + n]!;
  return distribution;
}
