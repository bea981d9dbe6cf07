import { describe, expect, it } from 'vitest';
import { Invalid } from '../../../../services/core/errors.ts';
import { estimateOffPolicy, type LoggedOutcome } from '../../../../services/core/evaluation/off-policy.ts';
import { type Random, seededRandom } from '../../../../services/core/random.ts';

const REWARD = [0.2, 0.5, 0.4];
const LOGGING = [0.6, 0.3, 0.1];
const TARGET = [0.1, 0.3, 0.6];
/** Σ target · reward. */
const TRUTH = 0.41;

describe('an off-policy estimate', () => {
  it('covers the truth as often as its intervals promise', () => {
    const random = seededRandom(1);
    const rounds = 400;
    const covered = { ips: 0, snips: 0 };
    for (let round = 0; round < rounds; round++) {
      const result = estimateOffPolicy(log(random, 2000, LOGGING, TARGET));
      if (result.status !== 'estimated') continue;
      for (const kind of ['ips', 'snips'] as const) {
        const { low, high } = result[kind].interval;
        if (low <= TRUTH && TRUTH <= high) covered[kind]++;
      }
    }
    // 95% of 400 less four standard errors, and less the rare refusals.
    for (const kind of ['ips', 'snips'] as const) {
      expect(covered[kind]).toBeGreaterThan(360);
      expect(covered[kind]).toBeLessThan(398);
    }
  });

  it('is the plain mean when the policy is the one that logged', () => {
    const logged = log(seededRandom(2), 500, LOGGING, LOGGING);
    const mean = logged.reduce((sum, { reward }) => sum + reward, 0) / logged.length;
    const result = estimateOffPolicy(logged);
    expect(result).toMatchObject({ status: 'estimated', weightMax: 1, effectiveSampleSize: 500 });
    if (result.status === 'estimated') {
      expect(result.ips.value).toBeCloseTo(mean, 12);
      expect(result.snips.value).toBeCloseTo(mean, 12);
      expect(result.ips.standardError).toBeCloseTo(Math.sqrt((mean * (1 - mean)) / 499), 12);
    }
  });

  it('does not take ten copies of a unit for ten units', () => {
    const once = log(seededRandom(3), 1000, LOGGING, TARGET);
    const copied = once.flatMap((outcome) => Array.from({ length: 10 }, () => outcome));
    const [a, b] = [estimateOffPolicy(once), estimateOffPolicy(copied)];
    expect(a.status).toBe('estimated');
    if (a.status === 'estimated' && b.status === 'estimated') {
      expect(b.ips.standardError).toBeCloseTo(a.ips.standardError, 12);
      expect(b.snips.standardError).toBeCloseTo(a.snips.standardError, 12);
    }
    expect(b).toMatchObject({ status: 'estimated', decisions: 10_000, units: 1000 });
  });

  it('is refused when the effective sample is small', () => {
    const result = estimateOffPolicy(log(seededRandom(4), 99, LOGGING, LOGGING));
    expect(result).toMatchObject({ status: 'refused', reason: 'effective sample size 99.0, at least 100 is needed' });
    expect(result).not.toHaveProperty('ips');
  });

  it('is refused when the logged propensities are not those that were drawn from', () => {
    const logged = log(seededRandom(5), 5000, LOGGING, TARGET);
    const wrong = logged.map((outcome) => ({ ...outcome, propensity: 1 / 3 }));
    expect(estimateOffPolicy(wrong)).toMatchObject({
      status: 'refused',
      reason: expect.stringMatching(/standard errors .* from 1/),
    });
  });

  it('is refused for an empty log and for a single unit', () => {
    expect(estimateOffPolicy([]).status).toBe('refused');
    const one = log(seededRandom(6), 500, LOGGING, LOGGING).map((outcome) => ({ ...outcome, unitId: 'u' }));
    expect(estimateOffPolicy(one)).toMatchObject({ status: 'refused', reason: '1 units, at least 2 are needed' });
  });

  it.each([
    { propensity: 0 },
    { propensity: Number.NaN },
    { targetProbability: 1.1 },
    { reward: Number.POSITIVE_INFINITY },
  ])('refuses a log with %o', (wrong) => {
    const outcome = { unitId: 'u', reward: 1, propensity: 0.5, targetProbability: 0.5, ...wrong };
    expect(() => estimateOffPolicy([outcome])).toThrow(Invalid);
  });
});

function log(random: Random, size: number, logging: readonly number[], target: readonly number[]): LoggedOutcome[] {
  return Array.from({ length: size }, (_, i) => {
    const u = random.next();
    const arm = u < logging[0]! ? 0 : u < logging[0]! + logging[1]! ? 1 : 2;
    const reward = random.next() < REWARD[arm]! ? 1 : 0;
    return { unitId: `u${i}`, reward, propensity: logging[arm]!, targetProbability: target[arm]! };
  });
}
