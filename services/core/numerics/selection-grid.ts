/**
 * Selection probabilities of all but a few arms of one set, p_i = ∫ f_i ∏_{j≠i, j kept} F_j, without integrating anew: it keeps
 * ln ∏F at each node and every arm's f/F and F there, so that leaving an arm out divides its F out and the rest is one pass
 * of multiply-adds. Answers do not depend on what was asked before. Owns at most CELLS_MAX numbers.
 */
import * as rule from './gauss-legendre.ts';
import { LOG_NEGLIGIBLE, PanelWalk, type PosteriorFamily } from './panel-walk.ts';
import { addPanel } from './selection-probabilities.ts';

const { NODE_COUNT, WEIGHTS } = rule;

/** 64 MB: two numbers for each node of each arm present there; 4,000 arms take 0.7 to 3 million. */
const CELLS_MAX = 2 ** 23;

interface KeptPanel {
  readonly left: number;
  readonly half: number;
  readonly present: Int32Array;
  readonly ratios: Float64Array;
  readonly distributions: Float64Array;
  readonly logProducts: Float64Array;
}

export class SelectionGrid {
  private readonly walk: PanelWalk;
  private readonly cellsMax: number;
  /** From right to left, as far as anybody has needed them. */
  private readonly panels: KeptPanel[] = [];
  /** Arms, the one that ends first from the right first. */
  private readonly byLower: Int32Array;
  private readonly terms = new Float64Array(NODE_COUNT);
  private cells = 0;

  /** @param family the grid's own from here on. */
  constructor(family: PosteriorFamily, cellsMax = CELLS_MAX) {
    this.walk = new PanelWalk(family);
    this.cellsMax = cellsMax;
    this.byLower = Int32Array.from(family.lower.keys()).sort((a, b) => family.lower[b]! - family.lower[a]!);
  }

  /** How many numbers it holds. */
  get size(): number {
    return this.cells;
  }

  /**
   * @param leftOut arms, ascending, not all.
   * @returns by arm of the whole set, 0 for those left out, not renormalised; `null` when that would take more cells than
   *   allowed.
   */
  without(leftOut: readonly number[]): Float64Array | null {
    const { terms } = this;
    const probabilities = new Float64Array(this.walk.family.size);
    const end = this.endWithout(leftOut);
    let left = Number.POSITIVE_INFINITY;
    let logProduct = 0;
    for (let at = 0; left > end && logProduct >= LOG_NEGLIGIBLE; at++) {
      const panel = this.panel(at);
      if (panel === null) return null;
      terms.set(panel.logProducts);
      for (const arm of leftOut) divideOut(terms, panel, arm);
      logProduct = terms[0]!;
      left = panel.left;
      for (let k = 0; k < NODE_COUNT; k++) terms[k] = panel.half * WEIGHTS[k]! * Math.exp(terms[k]!);
      addPanel(probabilities, terms, panel, panel.present.length);
    }
    for (const arm of leftOut) probabilities[arm] = 0;
    return probabilities;
  }

  /** Leaving a good arm out uncovers what lay to its left: panels are added when they are first needed. */
  private panel(at: number): KeptPanel | null {
    const known = this.panels[at];
    if (known !== undefined) return known;
    if (this.cells > this.cellsMax) return null;
    const { walk } = this;
    walk.step();
    const count = walk.presentCount;
    const panel = {
      left: walk.left,
      half: walk.half,
      present: walk.present.slice(0, count),
      ratios: walk.ratios.slice(0, count * NODE_COUNT),
      distributions: walk.distributions.slice(0, count * NODE_COUNT),
      logProducts: walk.logProducts.slice(),
    };
    this.cells += 2 * count * NODE_COUNT;
    this.panels.push(panel);
    return panel;
  }

  /** Where the first of the arms that are kept ends: nothing is best to the left of it. */
  private endWithout(leftOut: readonly number[]): number {
    const arm = this.byLower.find((each) => !leftOut.includes(each));
    return this.walk.family.lower[arm!]!;
  }
}

function divideOut(logProducts: Float64Array, { present, distributions }: KeptPanel, arm: number): void {
  const at = positionOf(arm, present) * NODE_COUNT;
  if (at < 0) return;
  for (let k = 0; k < NODE_COUNT; k++) logProducts[k]! -= Math.log(distributions[at + k]!);
}

/** @param ascending sorted. @returns −1 when it is not there. */
function positionOf(arm: number, ascending: Int32Array): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] === arm) return middle;
    if (ascending[middle]! < arm) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
