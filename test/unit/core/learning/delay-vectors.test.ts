import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { effectiveExposure } from '../../../../services/core/learning/delay.ts';
import { delayShares } from '../../../../services/core/learning/delay-shares.ts';

interface Vectors {
  readonly exposure: readonly {
    readonly name: string;
    readonly agesDays: readonly number[];
    readonly counts: readonly number[];
    readonly ratePerDay: number;
    readonly sumR: number;
    readonly exposure: number;
    readonly beta: number;
    readonly tolerance: number;
  }[];
  readonly shares: readonly {
    readonly name: string;
    readonly cohorts: readonly { readonly rewards: readonly number[]; readonly followed: number }[];
    readonly shares: readonly number[];
    readonly tolerance: number;
  }[];
}
const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../../schemas/vectors/delay.json', import.meta.url), 'utf8'),
);
const DAY_MS = 86_400_000;

describe('the golden cases of late rewards', () => {
  it('are all there', () => {
    expect([vectors.exposure.length, vectors.shares.length]).toEqual([2, 1]);
  });

  it.each(vectors.exposure)('exposure: $name', ({ agesDays, counts, ratePerDay, sumR, tolerance, ...expected }) => {
    const aged = agesDays.map((days, at) => ({ ageMs: days * DAY_MS, count: counts[at]! }));
    const exposure = effectiveExposure(aged, (ageMs) => -Math.expm1((-ratePerDay * ageMs) / DAY_MS));
    expect(Math.abs(exposure - expected.exposure)).toBeLessThanOrEqual(tolerance);
    expect(Math.abs(1 + Math.max(0, exposure - sumR) - expected.beta)).toBeLessThanOrEqual(tolerance);
  });

  it.each(vectors.shares)('shares: $name', ({ cohorts, shares, tolerance }) => {
    const found = delayShares(cohorts.map(({ rewards, followed }) => ({ events: rewards, intervals: followed })));
    expect(found).toHaveLength(shares.length);
    found.forEach((share, at) => {
      expect(Math.abs(share - shares[at]!)).toBeLessThanOrEqual(tolerance);
    });
  });
});
