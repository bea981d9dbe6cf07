/** Arms that are added and retired while the experiment runs: definition, learner and decider together. */
import { expect, test } from 'vitest';
import { decide } from '../../../../services/core/deciding/decide.ts';
import { type ServedExperiment, serve } from '../../../../services/core/deciding/served.ts';
import type { ParametersSnapshot } from '../../../../services/core/deciding/snapshot.ts';
import type { ArmId, DecisionId, InputEvent, UnitId } from '../../../../services/core/events.ts';
import type { Arm, Experiment } from '../../../../services/core/experiment.ts';
import { nextDefinition } from '../../../../services/core/experiment-change.ts';
import { MergedSums } from '../../../../services/core/learning/merge.ts';
import { buildParameters } from '../../../../services/core/learning/snapshot.ts';
import { experiment, rules, T0 } from '../../../support/core.ts';
import { dealt, learned, won } from '../../../support/learned.ts';

const arm = (id: string): Arm => ({ id: id as ArmId, state: 'active', sinceVersion: 1, attributes: new Map() });

const FIRST = experiment({ slots: 2, arms: ['A', 'B'].map(arm), fallbackArmId: 'B' as ArmId });
/** A goes, C comes. */
const SECOND = change(FIRST, ['B', 'C']);
/** A comes back, C goes. */
const THIRD = change(SECOND, ['A', 'B']);

function change(standing: Experiment, ids: readonly string[]): Experiment {
  const next = nextDefinition(standing, { ...standing, arms: ids.map(arm) })!;
  return { ...next, appliedAtMs: [...standing.appliedAtMs, T0] };
}

function snapshotOf(definition: Experiment, events: readonly InputEvent[]): ParametersSnapshot {
  const merged = new MergedSums();
  const { state } = learned(events, rules(THIRD)).oracle;
  for (const { cohort, sums } of state.sums.entries()) merged.replace(0, cohort, sums);
  const { id, version } = definition;
  const built = buildParameters(definition, merged);
  return { experimentId: id, experimentVersion: version, version: events.length, digest: '', offsets: [], ...built };
}

function dealtBy(served: ServedExperiment, slots = 1): Set<string> {
  const units = Array.from({ length: 200 }, (_, i) => `u${i}` as UnitId);
  return new Set(
    units.flatMap((unitId) => {
      const request = { unitId, context: new Map(), algorithm: null, eligibleArmIds: null, slots };
      const { decision } = decide(served, request, { decisionId: 'd' as DecisionId, decidedAtMs: T0 });
      return decision.slots.map(({ armId }) => armId);
    }),
  );
}

function posterior({ policies }: ParametersSnapshot, armIndex: number): { alpha: number; beta: number } {
  const [{ state }] = policies as [ParametersSnapshot['policies'][0]];
  return { alpha: state.get('alpha')![armIndex]!, beta: state.get('beta')![armIndex]! };
}

const PAID_A = [dealt({ id: 'd1', unit: 'u', arm: 'A' }), won({ id: 'r1', unit: 'u', value: 4 })];

test('a new arm is dealt from the next snapshot on, with the prior', () => {
  const older = snapshotOf(FIRST, PAID_A);
  expect(dealtBy(serve(SECOND, older))).toEqual(new Set(['B']));
  const next = snapshotOf(SECOND, PAID_A);
  expect(posterior(next, 2)).toEqual({ alpha: 1, beta: 1 });
  expect(dealtBy(serve(SECOND, next))).toEqual(new Set(['B', 'C']));
});

test('a retired arm is in no slot, and the slots that are left are those of the other arms', () => {
  const served = serve(SECOND, snapshotOf(SECOND, PAID_A));
  expect(dealtBy(served, 2)).toEqual(new Set(['B', 'C']));
});

test('a retired arm keeps its sums, learns what still comes for it, and comes back whole', () => {
  const late = [...PAID_A, won({ id: 'r2', unit: 'u', value: 0, revision: 0, clockMs: T0 + 20 })];
  const away = snapshotOf(SECOND, late);
  const back = snapshotOf(THIRD, late);
  expect(back.arms[0]).toEqual(away.arms[0]);
  expect(posterior(back, 0)).toEqual(posterior(snapshotOf(FIRST, late), 0));
  expect(posterior(back, 0)).toEqual({ alpha: 2, beta: 1 });
  expect(dealtBy(serve(THIRD, back))).toEqual(new Set(['A', 'B']));
});
