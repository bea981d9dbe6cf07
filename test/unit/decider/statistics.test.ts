import { describe, expect, it } from 'vitest';
import type { DecisionOutcome } from '../../../services/core/deciding/decide.ts';
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import { armMeans, estimatedRegret } from '../../../services/decider/statistics.ts';
import { experiment } from '../../support/core.ts';
import { snapshotOf } from '../../support/snapshots.ts';

function outcome(armIndex: number, eligible: readonly number[]): Pick<DecisionOutcome, 'slots'> {
  return { slots: [{ armIndex, eligible, propensity: 1, probabilities: Float64Array.of(1), draw: null }] };
}

describe('arm means', () => {
  it('are in raw reward units, and unknown while no reward counts', () => {
    const prior = snapshotOf(experiment(), { version: 1 });
    const snapshot: ParametersSnapshot = { ...prior, arms: [{ ...prior.arms[0]!, n: 4, sumR: 3 }, prior.arms[1]!] };
    const scaled = { ...experiment(), reward: { ...experiment().reward, min: -2, max: 6 } };
    expect([...armMeans(scaled, snapshot)]).toEqual([4, Number.NaN]);
    expect([...armMeans(scaled, null)]).toEqual([Number.NaN, Number.NaN]);
  });
});

describe('the estimated regret of a decision', () => {
  const means = Float64Array.of(1, 3, Number.NaN);

  it("is the best eligible arm's mean less the dealt arm's", () => {
    expect(estimatedRegret(means, outcome(0, [0, 1, 2]))).toBe(2);
    expect(estimatedRegret(means, outcome(1, [0, 1, 2]))).toBe(0);
    expect(estimatedRegret(means, outcome(0, [0, 2]))).toBe(0);
  });

  it('is 0 for an arm that nothing is known of', () => {
    expect(estimatedRegret(means, outcome(2, [0, 1, 2]))).toBe(0);
    expect(estimatedRegret(Float64Array.of(Number.NaN), outcome(0, [0]))).toBe(0);
  });
});
