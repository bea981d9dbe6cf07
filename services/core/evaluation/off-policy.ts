/**
 * What another policy would have earned on logged decisions: inverse propensity scoring (IPS), its self-normalised form
 * (SNIPS) and the doubly robust estimate (DR; Dudík, Langford & Li 2011), or a refusal when the log cannot say. Decisions of
 * one unit are dependent, so errors are clustered by it.
 */
import { Invalid } from '../errors.ts';

export interface LoggedOutcome {
  readonly unitId: string;
  readonly reward: number;
  /** Probability in (0, 1] with which the logged arm was drawn. */
  readonly propensity: number;
  /** Probability in [0, 1] with which the evaluated policy would deal that arm there. */
  readonly targetProbability: number;
  /**
   * What a model that has not seen this reward expects: of the logged arm, and on average of the arms that the evaluated
   * policy would deal there. Both 0 where there is no model: DR is IPS then.
   */
  readonly model?: { readonly logged: number; readonly target: number };
}

export interface Estimate {
  readonly value: number;
  readonly standardError: number;
  /** Normal approximation: holds for many units, promises nothing for few. */
  readonly interval: { readonly kind: 'asymptotic'; readonly level: 0.95; readonly low: number; readonly high: number };
}

export interface WeightDiagnostics {
  readonly decisions: number;
  readonly units: number;
  /** (Σw)² / Σw². */
  readonly effectiveSampleSize: number;
  readonly weightMax: number;
  /** 1 in expectation, if the propensities are true and the log could deal all that the policy would. */
  readonly weightMean: number;
  readonly weightMeanStandardError: number;
}

export type OffPolicyResult =
  | ({
      readonly status: 'estimated';
      readonly ips: Estimate;
      readonly snips: Estimate;
      readonly dr: Estimate;
      /** DR less what the log itself earned, by the same decisions. */
      readonly gain: Estimate;
    } & WeightDiagnostics)
  | ({ readonly status: 'refused'; readonly reason: string } & WeightDiagnostics);

export const EFFECTIVE_SAMPLE_SIZE_MIN = 100;
export const WEIGHT_MEAN_DEVIATIONS_MAX = 3;

/** @throws Invalid when a propensity, probability or reward is out of range. */
export function estimateOffPolicy(log: readonly LoggedOutcome[]): OffPolicyResult {
  const sums = { w: 0, ww: 0, wr: 0, weightMax: 0 };
  const weights = log.map(checkedWeight);
  for (let i = 0; i < log.length; i++) {
    const w = weights[i]!;
    sums.w += w;
    sums.ww += w * w;
    sums.wr += w * log[i]!.reward;
    sums.weightMax = Math.max(sums.weightMax, w);
  }
  const n = log.length;
  const weightMean = n === 0 ? 0 : sums.w / n;
  const clustered = (residual: (i: number) => number) => clusteredDeviation(log, residual);
  const diagnostics: WeightDiagnostics = {
    decisions: n,
    units: new Set(log.map((outcome) => outcome.unitId)).size,
    effectiveSampleSize: sums.ww === 0 ? 0 : (sums.w * sums.w) / sums.ww,
    weightMax: sums.weightMax,
    weightMean,
    weightMeanStandardError: n === 0 ? 0 : clustered((i) => weights[i]! - weightMean) / n,
  };
  const reason = refusal(diagnostics);
  if (reason !== null) return { status: 'refused', reason, ...diagnostics };

  const ips = sums.wr / n;
  const snips = sums.wr / sums.w;
  const robust = log.map(({ reward, model = NO_MODEL }, i) => model.target + weights[i]! * (reward - model.logged));
  const dr = robust.reduce((a, b) => a + b) / n;
  const gain = dr - log.reduce((sum, { reward }) => sum + reward, 0) / n;
  return {
    status: 'estimated',
    ips: estimate(ips, clustered((i) => weights[i]! * log[i]!.reward - ips) / n),
    // The ratio's error by linearisation.
    snips: estimate(snips, clustered((i) => weights[i]! * (log[i]!.reward - snips)) / sums.w),
    dr: estimate(dr, clustered((i) => robust[i]! - dr) / n),
    gain: estimate(gain, clustered((i) => robust[i]! - log[i]!.reward - gain) / n),
    ...diagnostics,
  };
}

const NO_MODEL = { logged: 0, target: 0 };

function checkedWeight({ unitId, reward, propensity, targetProbability }: LoggedOutcome): number {
  const valid =
    propensity > 0 &&
    propensity <= 1 &&
    targetProbability >= 0 &&
    targetProbability <= 1 + 1e-9 &&
    Number.isFinite(reward);
  if (valid) return targetProbability / propensity;
  throw new Invalid(
    'logged-outcome',
    `unit ${unitId}: propensity ${propensity} (allowed above 0 to 1), target probability ${targetProbability} ` +
      `(allowed 0 to 1), reward ${reward} (allowed finite)`,
  );
}

/** Standard deviation of Σ residual when units are independent and decisions of one unit are not. */
function clusteredDeviation(log: readonly LoggedOutcome[], residual: (i: number) => number): number {
  const byUnit = new Map<string, number>();
  for (let i = 0; i < log.length; i++) {
    const { unitId } = log[i]!;
    byUnit.set(unitId, (byUnit.get(unitId) ?? 0) + residual(i));
  }
  if (byUnit.size < 2) return Number.POSITIVE_INFINITY;
  let squares = 0;
  for (const sum of byUnit.values()) squares += sum * sum;
  return Math.sqrt((squares * byUnit.size) / (byUnit.size - 1));
}

function refusal(diagnostics: WeightDiagnostics): string | null {
  const { effectiveSampleSize, weightMean, weightMeanStandardError, units } = diagnostics;
  if (units < 2) return `${units} units, at least 2 are needed`;
  if (effectiveSampleSize < EFFECTIVE_SAMPLE_SIZE_MIN) {
    return `effective sample size ${effectiveSampleSize.toFixed(1)}, at least ${EFFECTIVE_SAMPLE_SIZE_MIN} is needed`;
  }
  // A log of the policy itself has all weights 1 up to rounding, and no spread to measure that by.
  const deviationMax = WEIGHT_MEAN_DEVIATIONS_MAX * weightMeanStandardError + 1e-9;
  if (Math.abs(weightMean - 1) <= deviationMax) return null;
  return (
    `mean weight ${weightMean.toPrecision(6)} lies more than ${WEIGHT_MEAN_DEVIATIONS_MAX} standard errors ` +
    `(${weightMeanStandardError.toPrecision(3)}) from 1: the propensities are wrong or the log never dealt some arms`
  );
}

const NORMAL_QUANTILE_975 = 1.959963984540054;

function estimate(value: number, standardError: number): Estimate {
  const half = NORMAL_QUANTILE_975 * standardError;
  return { value, standardError, interval: { kind: 'asymptotic', level: 0.95, low: value - half, high: value + half } };
}
