/** Normal posteriors N(location, scale²) on their own axis. For a request, where speed counts, see normal-selection.ts. */
import { NODE_COUNT } from './gauss-legendre.ts';
import type { PosteriorFamily } from './panel-walk.ts';

/** In standard deviations: beyond lies less than 1e-18. */
const REACH = 9;
/** In standard deviations: so few because the maximum over K arms varies √(2 ln K) times as fast as one arm. */
const PANEL_DEVIATIONS = 0.6;
const SQRT_TWO_PI = Math.sqrt(2 * Math.PI);

export class NormalPosteriors implements PosteriorFamily {
  readonly size: number;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  private readonly location: Float64Array;
  private readonly scale: Float64Array;
  private middle = 0;
  private steps: Float64Array = new Float64Array(NODE_COUNT);

  /** @param scale standard deviations, positive. One entry of each for each arm. */
  constructor(location: Float64Array, scale: Float64Array) {
    this.size = location.length;
    this.location = location;
    this.scale = scale;
    this.upper = location.map((mean, arm) => mean + REACH * scale[arm]!);
    this.lower = location.map((mean, arm) => mean - REACH * scale[arm]!);
  }

  panelWidth(arm: number, _right: number): number {
    return PANEL_DEVIATIONS * this.scale[arm]!;
  }

  openPanel(middle: number, steps: Float64Array): void {
    this.middle = middle;
    this.steps = steps;
  }

  densities(arm: number, into: Float64Array, at: number): void {
    const { steps } = this;
    const fromMean = this.middle - this.location[arm]!;
    const sd = this.scale[arm]!;
    const peak = 1 / (sd * SQRT_TWO_PI);
    for (let k = 0; k < NODE_COUNT; k++) {
      const z = (fromMean + steps[k]!) / sd;
      into[at + k] = peak * Math.exp(-0.5 * z * z);
    }
  }
}
