/** Several slots of one decision, and the holdout. */
import { describe, expect, it } from 'vitest';
import { uniform53 } from '../../../../services/core/allocation/hash.ts';
import { decide, flooredProbabilities, isHeldOut, sample } from '../../../../services/core/deciding/decide.ts';
import { serve } from '../../../../services/core/deciding/served.ts';
import type { ArmId, UnitId } from '../../../../services/core/events.ts';
import { arm, experiment, request, STAMP, snapshot } from './fixtures.ts';

const defined = experiment();
const served = serve(defined, snapshot(defined));

describe('a decision of several slots', () => {
  it('draws each slot from what the policy gives the arms that are left, with a draw of its own', () => {
    for (let user = 0; user < 50; user++) {
      const unit = `user-${user}`;
      const { decision, slots } = decide(served, request({ unit, slots: 3 }), STAMP);
      let left = [0, 1, 2, 3];
      for (const [slot, { eligible, probabilities, draw, armIndex, propensity }] of slots.entries()) {
        expect(eligible).toEqual(left);
        expect(draw).toBe(uniform53(slot === 0 ? 'coupon/17/beta-ts' : `coupon/17/beta-ts/${slot}`, unit));
        const alone = flooredProbabilities(served.policies.get('beta-ts')!, new Float64Array(3), left, defined.floor);
        expect(probabilities).toEqual(alone);
        const at = sample(alone, draw!);
        expect({ armIndex, propensity }).toEqual({ armIndex: left[at], propensity: alone[at] });
        expect(decision.slots[slot]).toEqual({ armId: defined.arms[armIndex]!.id, propensity });
        left = left.filter((index) => index !== armIndex);
      }
      expect(new Set(decision.slots.map(({ armId }) => armId)).size).toBe(3);
    }
  });

  it('begins as a decision of one slot', () => {
    const one = decide(served, request(), STAMP);
    expect(decide(served, request({ slots: 3 }), STAMP).slots[0]).toEqual(one.slots[0]);
  });

  it('deals lists as often as the product of the propensities says', () => {
    const units = 20_000;
    const lists = new Map<string, { dealt: number; probability: number }>();
    for (let i = 0; i < units; i++) {
      const { decision } = decide(served, request({ unit: `user-${i}`, slots: 2 }), STAMP);
      const key = decision.slots.map(({ armId }) => armId).join('');
      const probability = decision.slots.reduce((product, { propensity }) => product * propensity, 1);
      lists.set(key, { dealt: (lists.get(key)?.dealt ?? 0) + 1, probability });
    }
    expect(lists.size).toBe(12);
    let chiSquared = 0;
    let total = 0;
    for (const { dealt, probability } of lists.values()) {
      chiSquared += (dealt - units * probability) ** 2 / (units * probability);
      total += probability;
    }
    expect(total).toBeCloseTo(1, 12);
    // 11 degrees of freedom: 99.99% lie below 37.4.
    expect(chiSquared).toBeLessThan(37.4);
  });

  it('deals as many as there are when fewer arms are eligible', () => {
    const { decision } = decide(served, request({ eligibleArmIds: ['B', 'D'], slots: 3 }), STAMP);
    expect(decision.slots.map(({ armId }) => armId).sort()).toEqual(['B', 'D']);
    // Certain up to the last bit of its own normalisation.
    expect(decision.slots[1]!.propensity).toBeCloseTo(1, 15);
  });

  it('falls back to the fallback arm and then the others in order of definition', () => {
    const { decision } = decide(serve(defined, null), request({ slots: 3 }), STAMP);
    expect(decision.reason).toBe('fallback');
    expect(decision.slots).toEqual(['D', 'A', 'B'].map((armId) => ({ armId, propensity: 1 })));
  });

  it.each([0, 4, 1.5, Number.NaN])('is refused with %d slots where up to 3 are defined', (slots) => {
    expect(() => decide(served, request({ slots }), STAMP)).toThrow(
      expect.objectContaining({
        name: 'Invalid',
        code: 'slots-range',
        message: `experiment coupon: ${slots} slots are asked for, allowed 1 to 3`,
      }),
    );
  });
});

describe('the holdout', () => {
  const holdout = { share: 0.2, armId: 'C' as ArmId };
  const held = experiment({ holdout });
  const heldServed = serve(held, snapshot(held));
  const units = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);
  const inside = units.find((unit) => uniform53('coupon/holdout', unit) < 0.2)!;

  it('always gets its arm, with certainty and by name, whatever snapshot, algorithm and context', () => {
    for (const version of [17, 18]) {
      const { decision, slots } = decide(
        serve(held, snapshot(held, version)),
        request({ unit: inside, algorithm: 'ucb1' }),
        STAMP,
      );
      expect(decision).toMatchObject({ reason: 'holdout', slots: [{ armId: 'C', propensity: 1 }] });
      expect(slots[0]).toMatchObject({ armIndex: 2, eligible: [2], draw: null });
    }
    expect(decide(serve(held, null), request({ unit: inside }), STAMP).decision.reason).toBe('holdout');
  });

  it('is the share of the units, which others do not belong to', () => {
    const count = units.filter((unit) => {
      const { reason } = decide(heldServed, request({ unit }), STAMP).decision;
      expect(reason === 'holdout').toBe(isHeldOut(held, unit as UnitId));
      return reason === 'holdout';
    }).length;
    expect(Math.abs(count - 1_000)).toBeLessThan(4 * Math.sqrt(5_000 * 0.2 * 0.8));
  });

  it('grows and shrinks with the share, and keeps who was in it', () => {
    const more = experiment({ holdout: { ...holdout, share: 0.4 } });
    for (const unit of units.slice(0, 500)) {
      if (isHeldOut(held, unit as UnitId)) expect(isHeldOut(more, unit as UnitId)).toBe(true);
    }
    expect(units.some((unit) => isHeldOut(experiment({ holdout: { ...holdout, share: 0 } }), unit as UnitId))).toBe(
      false,
    );
  });

  it('never gets an arm that is not eligible: the fallback rule decides then', () => {
    const { decision } = decide(heldServed, request({ unit: inside, eligibleArmIds: ['A', 'D'] }), STAMP);
    expect(decision).toMatchObject({ reason: 'fallback', slots: [{ armId: 'D', propensity: 1 }] });
    const retired = experiment({ holdout, arms: [arm('A'), arm('B'), arm('C', 'retired'), arm('D')] });
    const after = decide(serve(retired, snapshot(retired)), request({ unit: inside }), STAMP);
    expect(after.decision).toMatchObject({ reason: 'fallback', slots: [{ armId: 'D', propensity: 1 }] });
  });

  it('fills further slots in order of definition', () => {
    const { decision } = decide(heldServed, request({ unit: inside, slots: 3 }), STAMP);
    expect(decision.slots).toEqual(['C', 'A', 'B'].map((armId) => ({ armId, propensity: 1 })));
  });
});
