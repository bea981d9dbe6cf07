import { describe, expect, it } from 'vitest';
import { uniform53 } from '../../../../services/core/allocation/hash.ts';
import { type DealtSlot, decide, sample } from '../../../../services/core/deciding/decide.ts';
import { type ServedExperiment, serve } from '../../../../services/core/deciding/served.ts';
import type { ArmId } from '../../../../services/core/events.ts';
import { arm, experiment, request, STAMP, snapshot } from './fixtures.ts';

const defined = experiment();
const served = serve(defined, snapshot(defined));

function first(from: ServedExperiment, asked = request()): DealtSlot {
  return decide(from, asked, STAMP).slots[0]!;
}

describe('a bandit decision', () => {
  it('logs exactly the probability that was drawn from, and what it was drawn with', () => {
    const { decision, slots } = decide(served, request(), STAMP);
    const draw = uniform53('coupon/17/beta-ts', 'user-1');
    const { eligible, armIndex, probabilities, draw: drawn } = slots[0]!;
    const position = eligible.indexOf(armIndex);
    expect(drawn).toBe(draw);
    expect(position).toBe(sample(probabilities, draw));
    expect(decision).toEqual({
      decisionId: 'decision-1',
      experimentId: 'coupon',
      experimentVersion: 3,
      unitId: 'user-1',
      slots: [{ armId: defined.arms[armIndex]!.id, propensity: probabilities[position] }],
      reason: 'bandit',
      policy: 'beta-ts',
      snapshotVersion: 17,
      pendingExposures: 0,
      features: [1, -45875 / 65536, 1],
      decidedAtMs: 1_700_000_000_000,
    });
  });

  it('is the same for the same unit, and redrawn with the next snapshot', () => {
    const next = serve(defined, snapshot(defined, 18));
    expect(decide(served, request(), STAMP)).toEqual(decide(served, request(), STAMP));
    expect(first(next).draw).not.toBe(first(served).draw);
  });

  it('uses the algorithm that was asked for', () => {
    const { decision, slots } = decide(served, request({ algorithm: 'ucb1' }), STAMP);
    expect(decision.policy).toBe('ucb1');
    expect([...slots[0]!.probabilities].map((p) => Number(p.toFixed(12)))).toEqual([0.01, 0.01, 0.01, 0.97]);
  });

  it('draws among the eligible arms only, in order of definition', () => {
    const { eligible, probabilities } = first(served, request({ eligibleArmIds: ['C', 'A', 'C'] }));
    expect(eligible).toEqual([0, 2]);
    expect(probabilities[0]! + probabilities[1]!).toBeCloseTo(1, 12);
  });

  it('does not deal retired arms, nor those that the snapshot does not have yet', () => {
    const changed = experiment({ arms: [arm('A'), arm('B', 'retired'), arm('C'), arm('D'), arm('E')] });
    expect(first(serve(changed, snapshot(defined))).eligible).toEqual([0, 2, 3]);
  });

  it('counts context numbers that were cut', () => {
    const context = new Map<string, number | boolean>([
      ['age', 4000],
      ['returning', false],
    ]);
    const outcome = decide(served, request({ context }), STAMP);
    expect(outcome.clipped).toBe(1);
    expect(outcome.decision.features).toEqual([1, 16, 0]);
  });
});

describe('a fallback decision', () => {
  const expected = { reason: 'fallback', slots: [{ armId: 'D', propensity: 1 }] };

  it('is made without a snapshot', () => {
    const outcome = decide(serve(defined, null), request(), STAMP);
    expect(outcome.decision).toMatchObject({ ...expected, snapshotVersion: 0, features: [1, -45875 / 65536, 1] });
    expect(outcome.slots).toEqual([
      { armIndex: 3, propensity: 1, eligible: [3], probabilities: Float64Array.of(1), draw: null },
    ]);
  });

  it('is made when the snapshot does not have the policy yet', () => {
    const older = snapshot(experiment({ policies: defined.policies.slice(0, 1) }));
    const outcome = decide(serve(defined, older), request({ algorithm: 'ucb1' }), STAMP);
    expect(outcome.decision).toMatchObject({ ...expected, policy: 'ucb1', snapshotVersion: 17 });
  });

  it('is made when the snapshot has none of the eligible arms yet', () => {
    const changed = experiment({ arms: [...defined.arms, arm('E')] });
    const outcome = decide(serve(changed, snapshot(defined)), request({ eligibleArmIds: ['E'] }), STAMP);
    expect(outcome.decision).toMatchObject({ reason: 'fallback', slots: [{ armId: 'E', propensity: 1 }] });
  });

  it('never deals an arm that is not eligible', () => {
    const outcome = decide(serve(defined, null), request({ eligibleArmIds: ['C', 'B'] }), STAMP);
    expect(outcome.decision.slots[0]!.armId).toBe('B');
  });
});

describe('what cannot be decided', () => {
  it.each([
    [
      'an unknown algorithm',
      request({ algorithm: 'exp3' }),
      'algorithm-unknown',
      /exp3, allowed are beta-ts, ucb1, linucb/,
    ],
    ['an unknown arm', request({ eligibleArmIds: ['A', 'Z'] }), 'arm-unknown', /no arm Z, allowed are A, B, C, D/],
    ['no eligible arm', request({ eligibleArmIds: [] }), 'arms-none', /no arm is eligible/],
    ['a missing feature', request({ context: new Map() }), 'context', /age is missing/],
  ])('names %s', (_what, asked, code, message) => {
    expect(() => decide(served, asked, STAMP)).toThrow(expect.objectContaining({ name: 'Invalid', code }));
    expect(() => decide(served, asked, STAMP)).toThrow(message);
    expect(() => decide(serve(defined, null), asked, STAMP)).toThrow(message);
  });

  it('refuses a retired arm by name, and an experiment with nothing else', () => {
    const retired = experiment({ arms: [arm('A', 'retired'), arm('B', 'retired')], fallbackArmId: 'A' as ArmId });
    const view = serve(retired, null);
    expect(() => decide(view, request({ eligibleArmIds: ['B'] }), STAMP)).toThrow(/arm B is retired/);
    expect(() => decide(view, request(), STAMP)).toThrow(expect.objectContaining({ code: 'arms-none' }));
  });

  it('refuses a deleted experiment', () => {
    const deleted = serve(experiment({ state: 'deleted' }), null);
    expect(() => decide(deleted, request(), STAMP)).toThrow(expect.objectContaining({ code: 'experiment-deleted' }));
  });
});

describe('the sample', () => {
  it('takes the first entry whose running sum passes the draw', () => {
    const probabilities = Float64Array.of(0.25, 0, 0.5, 0.25);
    expect([0, 0.2499, 0.25, 0.7499, 0.75, 0.9999].map((draw) => sample(probabilities, draw))).toEqual([
      0, 0, 2, 2, 3, 3,
    ]);
  });

  it('never takes an entry of probability 0, even when the sum stays below the draw', () => {
    expect(sample(Float64Array.of(0, 1), 0)).toBe(1);
    expect(sample(Float64Array.of(0.5, 0.5 - 2 ** -53, 0), 1 - 2 ** -53)).toBe(1);
  });
});

describe('serving', () => {
  it('refuses the snapshot of another experiment, or one with the arms in another order', () => {
    const swapped = experiment({ arms: ['B', 'A', 'C', 'D'].map((id) => arm(id)) });
    expect(() => serve(defined, snapshot(swapped))).toThrow(/arm 0 is A in version 3 and B in snapshot 17/);
    const other = { ...snapshot(defined), experimentId: 'banner' as typeof defined.id };
    expect(() => serve(defined, other)).toThrow(expect.objectContaining({ name: 'Corrupt' }));
  });

  it('accepts a snapshot that is newer than the definition', () => {
    const newer = snapshot(experiment({ arms: [...defined.arms, arm('E')], version: 4 }));
    expect(first(serve(defined, newer)).eligible).toEqual([0, 1, 2, 3]);
  });
});
