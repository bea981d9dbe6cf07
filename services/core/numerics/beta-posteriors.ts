/**
 * Beta posteriors on the log-odds axis t = ln x/(1 − x), where the density x^a (1 − x)^b / B(a, b) is log-concave for all
 * a, b > 0 and has no end points.
 */
import { NODE_COUNT } from './gauss-legendre.ts';
import type { PosteriorFamily } from './panel-walk.ts';
import { stirlingCorrection } from './stirling.ts';

/** Beyond the points where the density fell by e⁻⁴⁶ from its mode lies less than 1e-18. */
const LOG_DROP = 46;
/**
 * In standard deviations at the mode: so few because the maximum over K arms varies √(2 ln K) times as fast as one arm,
 * and the right tail of a rare success falls like exp(−eᵗ). |Σp − 1| then stays below 1e-10 up to 4,000 arms.
 */
const PANEL_DEVIATIONS = 0.6;
/** Odds change by e over 1 whatever a and b are. */
const PANEL_WIDTH_MAX = 1;

export class BetaPosteriors implements PosteriorFamily {
  readonly size: number;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  private readonly alpha: Float64Array;
  private readonly beta: Float64Array;
  private readonly mode: Float64Array;
  private readonly logPeak: Float64Array;
  private readonly widths: Float64Array;
  /** Of the open panel: its middle, and at each point ln x and ln(1 − x) less their values in the middle. */
  private middle = 0;
  private readonly logXRise = new Float64Array(NODE_COUNT);
  private readonly logComplementRise = new Float64Array(NODE_COUNT);

  /** @param alpha, beta positive, one for each arm. */
  constructor(alpha: Float64Array, beta: Float64Array) {
    this.size = alpha.length;
    this.alpha = alpha;
    this.beta = beta;
    this.mode = alpha.map((a, i) => Math.log(a / beta[i]!));
    this.logPeak = alpha.map((a, i) => logPeakDensity(a, beta[i]!));
    const deviation = alpha.map((a, i) => Math.sqrt((a + beta[i]!) / (a * beta[i]!)));
    this.widths = deviation.map((sd) => Math.min(PANEL_DEVIATIONS * sd, PANEL_WIDTH_MAX));
    this.upper = deviation.map((sd, i) => this.tail(i, sd));
    this.lower = deviation.map((sd, i) => this.tail(i, -sd));
  }

  panelWidth(arm: number, _right: number): number {
    return this.widths[arm]!;
  }

  openPanel(middle: number, steps: Float64Array): void {
    this.middle = middle;
    const x = logistic(middle);
    const complement = logistic(-middle);
    for (let k = 0; k < NODE_COUNT; k++) {
      const step = steps[k]!;
      this.logXRise[k] = -Math.log1p(complement * Math.expm1(-step));
      this.logComplementRise[k] = -Math.log1p(x * Math.expm1(step));
    }
  }

  densities(arm: number, into: Float64Array, at: number): void {
    const a = this.alpha[arm]!;
    const b = this.beta[arm]!;
    // From mode to middle to point: differences of logarithms stay accurate where a·ln x itself would cancel.
    const logMiddle = this.logPeak[arm]! + this.logFall(arm, this.middle);
    for (let k = 0; k < NODE_COUNT; k++) {
      into[at + k] = Math.exp(logMiddle + a * this.logXRise[k]! + b * this.logComplementRise[k]!);
    }
  }

  /** ln f(t) − ln f(mode), at most 0. */
  private logFall(arm: number, t: number): number {
    const a = this.alpha[arm]!;
    const b = this.beta[arm]!;
    const step = t - this.mode[arm]!;
    return -a * logShifted(b / (a + b), -step) - b * logShifted(a / (a + b), step);
  }

  /** Newton on a concave function meets its root from outside, so every iterate is a valid, if generous, bound. */
  private tail(arm: number, deviation: number): number {
    const a = this.alpha[arm]!;
    const b = this.beta[arm]!;
    let t = this.mode[arm]! + deviation * Math.sqrt(2 * LOG_DROP);
    for (let iteration = 0; iteration < 6; iteration++) {
      const slope = a * logistic(-t) - b * logistic(t);
      t -= (this.logFall(arm, t) + LOG_DROP) / slope;
    }
    return t;
  }
}

/** ln(1 + q (eˢ − 1)), where eˢ may overflow. */
function logShifted(q: number, step: number): number {
  return step > 500 ? step + Math.log(q) : Math.log1p(q * Math.expm1(step));
}

function logistic(t: number): number {
  return 1 / (1 + Math.exp(-t));
}

/** ln of x^a (1 − x)^b / B(a, b) at x = a/(a + b), with the large terms of ln B cancelled by hand. */
function logPeakDensity(a: number, b: number): number {
  const corrections = stirlingCorrection(a + b) - stirlingCorrection(a) - stirlingCorrection(b);
  return 0.5 * Math.log(((a / (a + b)) * b) / (2 * Math.PI)) + corrections;
}
