/**
 * The prototype that exact Beta selection probabilities are measured against: the trapezoid rule in t = ln x/(1 − x) on
 * one grid over all arms, its step half the smallest posterior deviation. O(arms × nodes) memory, and no more thought.
 */
import { stirlingCorrection } from '../../services/core/numerics/stirling.ts';

const REACH = 8;

/** @param alpha, beta one each an arm. @returns selection probabilities, not renormalised. */
export function naiveBetaSelection(alpha: Float64Array, beta: Float64Array): Float64Array {
  const modes = alpha.map((a, arm) => Math.log(a / beta[arm]!));
  const deviations = alpha.map((a, arm) => Math.sqrt(1 / a + 1 / beta[arm]!));
  const step = deviations.reduce((x, y) => Math.min(x, y)) / 2;
  const left = modes.map((mode, arm) => mode - REACH * deviations[arm]!).reduce((x, y) => Math.min(x, y));
  const right = modes.map((mode, arm) => mode + REACH * deviations[arm]!).reduce((x, y) => Math.max(x, y));
  const nodes = Math.ceil((right - left) / step) + 1;
  const logX = new Float64Array(nodes);
  const logComplement = new Float64Array(nodes);
  for (let k = 0; k < nodes; k++) {
    const t = left + k * step;
    logX[k] = -Math.log1p(Math.exp(-t));
    logComplement[k] = -Math.log1p(Math.exp(t));
  }
  const densities = new Float64Array(alpha.length * nodes);
  const logDistributions = new Float64Array(alpha.length * nodes);
  const logProducts = new Float64Array(nodes);
  for (let arm = 0; arm < alpha.length; arm++) {
    const a = alpha[arm]!;
    const b = beta[arm]!;
    const logBeta = logBetaFunction(a, b);
    let sum = 0;
    let before = 0;
    for (let k = 0; k < nodes; k++) {
      const density = Math.exp(a * logX[k]! + b * logComplement[k]! - logBeta);
      // Left of the grid the density is all but exp(a t).
      sum += k === 0 ? density / a : (step * (density + before)) / 2;
      before = density;
      // Partial sums of the rule need the first term of Euler and Maclaurin.
      const distribution = sum - ((step * step) / 12) * density * (a - (a + b) * Math.exp(logX[k]!));
      const logDistribution = Math.log(Math.max(distribution, 1e-300));
      densities[arm * nodes + k] = density;
      logDistributions[arm * nodes + k] = logDistribution;
      logProducts[k]! += logDistribution;
    }
  }
  return alpha.map((_, arm) => {
    let sum = 0;
    for (let k = 0; k < nodes; k++) {
      sum += densities[arm * nodes + k]! * Math.exp(logProducts[k]! - logDistributions[arm * nodes + k]!);
    }
    return sum * step;
  });
}

function logBetaFunction(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

function logGamma(x: number): number {
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + stirlingCorrection(x);
}
