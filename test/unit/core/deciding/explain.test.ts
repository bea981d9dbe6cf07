import { describe, expect, it } from 'vitest';
import { decide } from '../../../../services/core/deciding/decide.ts';
import { explain, scoresOf } from '../../../../services/core/deciding/explain.ts';
import { serve } from '../../../../services/core/deciding/served.ts';
import { experiment, request, STAMP, snapshot } from './fixtures.ts';

const defined = experiment();
const served = serve(defined, snapshot(defined));

describe('an explanation', () => {
  it('contains the very decision, and every step to it', () => {
    const asked = request({ unit: 'user-7', eligibleArmIds: ['A', 'B', 'D'] });
    const { outcome, explanation } = explain(served, asked, STAMP);
    expect(outcome).toEqual(decide(served, asked, STAMP));
    expect(explanation).toMatchObject({ snapshotDigest: 'd1ge57', floor: 0.04 });
    const [slot] = explanation.slots;
    expect(slot!.arms.map(({ armId }) => armId)).toEqual(['A', 'B', 'D']);
    // Posterior means of Beta(1 + 4 + 2i, 1 + 16 − 2i).
    expect(slot!.arms.map(({ score }) => score)).toEqual([5 / 22, 7 / 22, 11 / 22]);
    expect(slot!.arms.map(({ probability }) => probability)).toEqual([...outcome.slots[0]!.probabilities]);
    expect(slot!.arms.at(-1)!.cumulative).toBeCloseTo(1, 12);
    expect(slot!.arms.find(({ cumulative }) => slot!.draw! < cumulative)!.dealt).toBe(true);
    expect(slot!.arms.filter(({ dealt }) => dealt)).toHaveLength(1);
  });

  it('shows each slot over the arms that those above it left', () => {
    const { outcome, explanation } = explain(served, request({ slots: 3 }), STAMP);
    const dealt = explanation.slots.map(({ arms }) => arms.find((arm) => arm.dealt)!);
    expect(dealt.map(({ armId, probability }) => ({ armId, propensity: probability }))).toEqual(outcome.decision.slots);
    expect(explanation.slots.map(({ arms }) => arms.length)).toEqual([4, 3, 2]);
    expect(explanation.slots[2]!.arms.map(({ armId }) => armId)).not.toContain(dealt[0]!.armId);
  });

  it('has no scores for a fallback', () => {
    const { explanation } = explain(serve(defined, null), request(), STAMP);
    expect(explanation.slots[0]!.arms).toEqual([
      { armId: 'D', armIndex: 3, score: null, probability: 1, cumulative: 1, dealt: true },
    ]);
    expect(explanation.snapshotDigest).toBeNull();
  });

  it('gets scores from the context that was logged', () => {
    const { decision, slots } = decide(served, request({ algorithm: 'linucb' }), STAMP);
    const scores = scoresOf(served, decision, slots[0]!)!;
    const best = scores.reduce((most, score) => Math.max(most, score));
    expect(scores.indexOf(best)).toBe(slots[0]!.probabilities.findIndex((p) => p > 0.5));
  });
});
