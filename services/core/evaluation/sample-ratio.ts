/**
 * Sample-ratio check: were the arms really dealt with the probabilities that were logged? Sound when probabilities
 * change from decision to decision, as a bandit's do. Run it on decisions, on joined and on matured rewards.
 */
import { normalTwoSidedTail } from '../numerics/normal.ts';

export interface DealtDecision {
  readonly armIndex: number;
  /** One for each arm of the experiment; 0 where it was not eligible. */
  readonly probabilities: ArrayLike<number>;
}

export interface ArmRatio {
  readonly dealt: number;
  /** Σ p. */
  readonly expected: number;
  /** (dealt − expected) / √Σp(1 − p); `null` when the arm's deals were never in doubt and came as expected. */
  readonly z: number | null;
}

export interface SampleRatioResult {
  readonly status: 'as-logged' | 'mismatch';
  readonly arms: readonly ArmRatio[];
  /** Smallest two-sided p-value (asymptotic), times the number of arms tested (Bonferroni), at most 1. */
  readonly pValue: number;
}

/** @param significance a mismatch is said below this p-value; small, since the check runs often. */
export function checkSampleRatio(
  decisions: Iterable<DealtDecision>,
  armCount: number,
  significance = 1e-4,
): SampleRatioResult {
  const dealt = new Float64Array(armCount);
  const expected = new Float64Array(armCount);
  const variance = new Float64Array(armCount);
  for (const { armIndex, probabilities } of decisions) {
    dealt[armIndex]! += 1;
    for (let arm = 0; arm < armCount; arm++) {
      const p = probabilities[arm]!;
      expected[arm]! += p;
      variance[arm]! += p * (1 - p);
    }
  }
  const arms = Array.from(dealt, (count, arm) => ({
    dealt: count,
    expected: expected[arm]!,
    z: standardised(count - expected[arm]!, variance[arm]!),
  }));
  const tails = arms.flatMap(({ z }) => (z === null ? [] : [normalTwoSidedTail(z)]));
  const pValue = tails.reduce((least, tail) => Math.min(least, tail * tails.length), 1);
  return { status: pValue < significance ? 'mismatch' : 'as-logged', arms, pValue };
}

/** Without variance any difference beyond rounding is impossible, hence infinitely many deviations. */
function standardised(difference: number, variance: number): number | null {
  if (variance > 0) return difference / Math.sqrt(variance);
  return Math.abs(difference) < 1e-6 ? null : Math.sign(difference) * Number.POSITIVE_INFINITY;
}
