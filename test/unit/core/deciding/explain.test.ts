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
    const explained = explain(served, asked, STAMP);
    expect(explained).toMatchObject({ ...decide(served, asked, STAMP) });
    expect(explained.arms.map(({ armId }) => armId)).toEqual(['A', 'B', 'D']);
    // Posterior means of Beta(1 + 4 + 2i, 1 + 16 − 2i).
    expect(explained.arms.map(({ score }) => score)).toEqual([5 / 22, 7 / 22, 11 / 22]);
    expect(explained.arms.map(({ probability }) => probability)).toEqual([...explained.probabilities]);
    expect(explained.arms.at(-1)!.cumulative).toBeCloseTo(1, 12);
    expect(explained.arms.find(({ cumulative }) => explained.draw! < cumulative)!.dealt).toBe(true);
    expect(explained.arms.filter(({ dealt }) => dealt)).toHaveLength(1);
    expect(explained).toMatchObject({ snapshotDigest: 'd1ge57', floor: 0.04 });
  });

  it('has no scores for a fallback', () => {
    const explained = explain(serve(defined, null), request(), STAMP);
    expect(explained.arms).toEqual([
      { armId: 'D', armIndex: 3, score: null, probability: 1, cumulative: 1, dealt: true },
    ]);
    expect(explained.snapshotDigest).toBeNull();
  });

  it('gets scores from the context that was logged', () => {
    const outcome = decide(served, request({ algorithm: 'linucb' }), STAMP);
    const scores = scoresOf(served, outcome)!;
    const best = scores.reduce((most, score) => Math.max(most, score));
    expect(scores.indexOf(best)).toBe(outcome.probabilities.findIndex((p) => p > 0.5));
  });
});
