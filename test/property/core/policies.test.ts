import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../services/core/deciding/decide.ts';
import { type ServedExperiment, serve } from '../../../services/core/deciding/served.ts';
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import type { ArmId } from '../../../services/core/events.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import { allPolicies, validateParameters } from '../../../services/core/policies/registry.ts';
import { arm, experiment, request, STAMP } from '../../unit/core/deciding/fixtures.ts';
import { learned, type Observation } from '../../unit/core/policies/policies.ts';

interface World {
  readonly served: ServedExperiment;
  readonly definition: Experiment;
  readonly snapshot: ParametersSnapshot;
}

/** Context of dimension 3: an intercept and two features. */
const observations = (armCount: number): fc.Arbitrary<Observation[]> =>
  fc.array(
    fc.record({
      arm: fc.nat(armCount - 1),
      reward: fc.double({ min: 0, max: 1, noNaN: true }),
      propensity: fc.double({ min: 1e-6, max: 1, noNaN: true }),
      context: fc.tuple(fc.constant(1), fc.double({ min: -16, max: 16, noNaN: true }), fc.constantFrom(0, 1)),
    }),
    { maxLength: 60 },
  );

const world: fc.Arbitrary<World> = fc
  .integer({ min: 1, max: 12 })
  .chain((armCount) =>
    fc.record({
      armCount: fc.constant(armCount),
      seen: observations(armCount),
      floor: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  )
  .map(({ armCount, seen, floor }) => build(armCount, seen, floor));

/** The world below has a number in its context. */
const fitting = allPolicies().filter((policy) => policy.indicatorsOnly !== true);
const kinds = fitting.map((policy) => policy.kind);

describe('every policy, with any statistics', () => {
  it.each(kinds)(
    'gives probabilities that add up to 1 ± 1e-12, each at least floor / K, for every slot: %s',
    (kind) => {
      fc.assert(
        fc.property(world, fc.double({ min: -500, max: 500, noNaN: true }), fc.string(), (given, age, unit) => {
          const { served, definition } = given;
          const context = new Map<string, number | boolean>([
            ['age', age],
            ['returning', age > 0],
          ]);
          const { slots, decision } = decide(served, request({ algorithm: kind, context, unit, slots: 3 }), STAMP);
          expect(slots).toHaveLength(Math.min(3, definition.arms.length));
          for (const [slot, { probabilities, eligible, armIndex }] of slots.entries()) {
            const total = probabilities.reduce((sum, p) => sum + p, 0);
            expect(Math.abs(total - 1)).toBeLessThanOrEqual(1e-12);
            for (const p of probabilities) {
              expect(p).toBeGreaterThanOrEqual(definition.floor / eligible.length);
              expect(p).toBeLessThanOrEqual(1);
            }
            expect(decision.slots[slot]!.propensity).toBe(probabilities[eligible.indexOf(armIndex)]);
            expect(decision.slots[slot]!.propensity).toBeGreaterThan(0);
          }
          expect(new Set(decision.slots.map(({ armId }) => armId)).size).toBe(slots.length);
        }),
      );
    },
  );

  it.each(kinds)('decides the same whatever was decided before: %s', (kind) => {
    fc.assert(
      fc.property(
        world,
        fc.array(fc.uniqueArray(fc.nat(11), { minLength: 1 }), { minLength: 1, maxLength: 6 }),
        (given, subsets) => {
          const asked = subsets
            .map((subset) => given.definition.arms.filter((_, index) => subset.includes(index)).map(({ id }) => id))
            .filter((ids) => ids.length > 0)
            .map((eligibleArmIds) => request({ algorithm: kind, eligibleArmIds, slots: 2 }));
          const inOrder = asked.map((one) => decide(given.served, one, STAMP));
          const afresh = asked.map((one) => decide(serve(given.definition, given.snapshot), one, STAMP));
          expect(inOrder).toEqual(afresh);
          expect(
            asked
              .toReversed()
              .map((one) => decide(given.served, one, STAMP))
              .toReversed(),
          ).toEqual(afresh);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('the draw', () => {
  it.each(['beta-ts', 'epsilon-greedy', 'exp3', 'gaussian-ts', 'linucb', 'softmax'])(
    'deals each arm as often as its propensity says: %s',
    (kind) => {
      const seen: Observation[] = Array.from({ length: 60 }, (_, i) => ({
        arm: i % 4,
        reward: (i * 7) % 10 < 3 + (i % 4) ? 1 : 0,
        context: [1, (i % 5) - 2, i % 2],
      }));
      const { served } = build(4, seen, 0.2);
      const units = 40_000;
      const dealt = new Float64Array(4);
      let probabilities = new Float64Array(4);
      for (let i = 0; i < units; i++) {
        const slot = decide(served, request({ algorithm: kind, unit: `user-${i}` }), STAMP).slots[0]!;
        dealt[slot.armIndex]! += 1;
        probabilities = slot.probabilities as Float64Array<ArrayBuffer>;
      }
      const chiSquared = dealt.reduce(
        (sum, count, i) => sum + (count - units * probabilities[i]!) ** 2 / (units * probabilities[i]!),
        0,
      );
      // 3 degrees of freedom: 99.99% lie below 21.1.
      expect(chiSquared).toBeLessThan(21.1);
    },
  );
});

function build(armCount: number, seen: readonly Observation[], floor: number): World {
  const input = learned(armCount, 3, seen);
  const policies = fitting.map((policy) => ({
    policy,
    kind: policy.kind,
    parameters: validateParameters(policy, new Map()),
  }));
  const definition = experiment({
    arms: input.armIds.map((id) => arm(id)),
    fallbackArmId: 'arm-1' as ArmId,
    policies: policies.map(({ kind, parameters }) => ({ kind, parameters })),
    floor,
  });
  const snapshot: ParametersSnapshot = {
    experimentId: definition.id,
    experimentVersion: definition.version,
    version: 1 + seen.length,
    digest: 'd1ge57',
    clockMs: 0,
    offsets: [],
    arms: input.armIds.map((armId) => ({ armId, pulls: 0, n: 0, sumR: 0, sumRR: 0 })),
    holdout: null,
    policies: policies.map(({ policy, kind, parameters }) => ({
      kind,
      parameters,
      state: policy.prepare(input, parameters),
    })),
  };
  return { served: serve(definition, snapshot), definition, snapshot };
}
