import { expect, test } from 'vitest';
import { type DecisionOutcome, decide } from '../../../../services/core/deciding/decide.ts';
import { explainLogged } from '../../../../services/core/deciding/explain.ts';
import { type ServedExperiment, serve } from '../../../../services/core/deciding/served.ts';
import type { ParametersSnapshot } from '../../../../services/core/deciding/snapshot.ts';
import type { ArmId, DecisionId, UnitId } from '../../../../services/core/events.ts';
import { betaTs } from '../../../../services/core/policies/beta-ts.ts';
import { N, SUM_R, sumsLayout } from '../../../../services/core/sums/layout.ts';
import { experiment } from '../../../support/core.ts';

const ARMS = ['A', 'B', 'C'] as ArmId[];
const defined = experiment({
  arms: ARMS.map((id) => ({ id, state: 'active', sinceVersion: 1, attributes: new Map() })),
  floor: 0.1,
  slots: 2,
});

function snapshot(version: number): ParametersSnapshot {
  const layout = sumsLayout(0);
  const sums = [30, 35, 40].map((rewards) => {
    const vector = new Float64Array(layout.size);
    vector[N] = 100;
    vector[SUM_R] = rewards;
    return vector;
  });
  const parameters = new Map([
    ['priorAlpha', 1],
    ['priorBeta', 1],
  ]);
  const input = { layout, armIds: ARMS, attributes: ARMS.map(() => new Map()), sums };
  return {
    experimentId: defined.id,
    experimentVersion: 1,
    version,
    digest: 'd'.repeat(64),
    clockMs: 0,
    offsets: [],
    arms: ARMS.map((armId) => ({ armId, pulls: 100, n: 100, sumR: 30, sumRR: 30 })),
    holdout: null,
    policies: [{ kind: 'beta-ts', parameters, state: betaTs.prepare(input, parameters) }],
  };
}

function decided(
  served: ServedExperiment,
  unit: string,
  eligibleArmIds: string[] | null = null,
  slots = 1,
): DecisionOutcome {
  const request = { unitId: unit as UnitId, context: new Map(), algorithm: null, eligibleArmIds, slots };
  return decide(served, request, { decisionId: 'd' as DecisionId, decidedAtMs: 0 });
}

test('a logged decision is made again to the bit', () => {
  const served = serve(defined, snapshot(7));
  for (let unit = 0; unit < 100; unit++) {
    const { decision, slots } = decided(served, `u${unit}`, null, 2);
    const explained = explainLogged(served, decision, null)!;
    for (const [at, { draw, arms }] of explained.slots.entries()) {
      const dealt = arms.find((arm) => arm.dealt)!;
      expect({ armId: dealt.armId, propensity: dealt.probability }).toEqual(decision.slots[at]);
      expect(draw).toBe(slots[at]!.draw);
      expect(dealt.cumulative).toBeGreaterThan(draw!);
      expect(dealt.cumulative - dealt.probability).toBeLessThanOrEqual(draw!);
    }
  }
});

test('a decision among some of the arms agrees once those are named', () => {
  const served = serve(defined, snapshot(7));
  const { decision } = decided(served, 'u', ['A', 'C']);
  const propensityOf = (eligible: string[] | null) =>
    explainLogged(served, decision, eligible)!.slots[0]!.arms.find(({ armId }) => armId === decision.slots[0]!.armId)
      ?.probability;
  expect(propensityOf(['A', 'C'])).toBe(decision.slots[0]!.propensity);
  expect(propensityOf(null)).not.toBe(decision.slots[0]!.propensity);
});

test('another snapshot draws another number', () => {
  const { decision, slots } = decided(serve(defined, snapshot(7)), 'u');
  expect(explainLogged(serve(defined, snapshot(8)), decision, null)!.slots[0]!.draw).not.toBe(slots[0]!.draw);
});

test('a fallback was no draw, so there is nothing to make again', () => {
  const { decision } = decided(serve(defined, null), 'u');
  expect(decision.reason).toBe('fallback');
  expect(explainLogged(serve(defined, snapshot(7)), decision, null)).toBeNull();
});
