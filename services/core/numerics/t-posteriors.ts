/**
 * Posteriors of Student's t distribution, location + scale · t with ν degrees of freedom, on their own axis.
 * Their tails are heavy: with ν = 2 a mass of 1e-18 lies beyond 10⁹ scales, so panels grow with the distance.
 */
import { NODE_COUNT } from './gauss-legendre.ts';
import type { PosteriorFamily } from './panel-walk.ts';
import { stirlingCorrection } from './stirling.ts';

/** −ln of the mass that may lie beyond each end: less than 1e-18. */
const LOG_TAIL = 42;
/** In units of √(scale² + distance²/ν), the distance from the density's poles and thus what polynomials of it resolve. */
const PANEL_SHARE = 0.6;

export class TPosteriors implements PosteriorFamily {
  readonly size: number;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  private readonly location: Float64Array;
  private readonly scale: Float64Array;
  private readonly freedom: Float64Array;
  private readonly peak: Float64Array;
  private middle = 0;
  private steps: Float64Array = new Float64Array(NODE_COUNT);

  /** @param scale positive. @param freedom degrees of freedom ν, at least 1. One entry of each for each arm. */
  constructor(location: Float64Array, scale: Float64Array, freedom: Float64Array) {
    this.size = location.length;
    this.location = location;
    this.scale = scale;
    this.freedom = freedom;
    this.peak = freedom.map((nu, arm) => standardPeak(nu) / scale[arm]!);
    const reach = freedom.map((nu, arm) => scale[arm]! * Math.sqrt(nu * Math.expm1((2 * LOG_TAIL) / nu)));
    this.upper = location.map((center, arm) => center + reach[arm]!);
    this.lower = location.map((center, arm) => center - reach[arm]!);
  }

  panelWidth(arm: number, right: number): number {
    const scale = this.scale[arm]!;
    const rootFreedom = Math.sqrt(this.freedom[arm]!);
    const atRight = PANEL_SHARE * Math.hypot(scale, (right - this.location[arm]!) / rootFreedom);
    // That length changes by at most PANEL_SHARE/√ν per unit: so much narrower, the panel suits its left end too.
    return atRight / (1 + PANEL_SHARE / rootFreedom);
  }

  openPanel(middle: number, steps: Float64Array): void {
    this.middle = middle;
    this.steps = steps;
  }

  densities(arm: number, into: Float64Array, at: number): void {
    const { steps } = this;
    const fromCenter = this.middle - this.location[arm]!;
    const scale = this.scale[arm]!;
    const nu = this.freedom[arm]!;
    const peak = this.peak[arm]!;
    const power = -(nu + 1) / 2;
    for (let k = 0; k < NODE_COUNT; k++) {
      const z = (fromCenter + steps[k]!) / scale;
      into[at + k] = peak * Math.exp(power * Math.log1p((z * z) / nu));
    }
  }
}

/** Γ((ν + 1)/2) / (√(νπ) Γ(ν/2)), with the large terms of the logarithms cancelled by hand. */
function standardPeak(nu: number): number {
  const x = nu / 2;
  const corrections = stirlingCorrection(x + 0.5) - stirlingCorrection(x);
  return Math.exp(x * Math.log1p(0.5 / x) - 0.5 + corrections) / Math.sqrt(2 * Math.PI);
}
