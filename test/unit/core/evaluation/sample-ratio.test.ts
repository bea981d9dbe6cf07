import { describe, expect, it } from 'vitest';
import { checkSampleRatio, type DealtDecision } from '../../../../services/core/evaluation/sample-ratio.ts';
import { seededRandom } from '../../../../services/core/random.ts';

describe('the sample-ratio check', () => {
  it('finds nothing in draws from changing probabilities', () => {
    const result = checkSampleRatio(decisions(1, 0), 3);
    expect(result.status).toBe('as-logged');
    for (const { dealt, expected } of result.arms) expect(Math.abs(dealt - expected)).toBeLessThan(500);
  });

  it('finds a twentieth of the deals gone to another arm', () => {
    const result = checkSampleRatio(decisions(2, 0.05), 3);
    expect(result.status).toBe('mismatch');
    expect(result.arms[0]!.z).toBeGreaterThan(4);
    expect(result.arms[2]!.z).toBeLessThan(-3);
  });

  it('computes Z from the variance of the logged probabilities', () => {
    const log = Array.from({ length: 100 }, (_, i) => ({ armIndex: i < 60 ? 0 : 1, probabilities: [0.5, 0.5] }));
    const { arms, pValue } = checkSampleRatio(log, 2);
    expect(arms.map(({ z }) => z)).toEqual([2, -2]);
    // Twice the two-sided tail of 2, since two arms are tested.
    expect(pValue).toBeCloseTo(2 * 0.04550026389635842, 12);
  });

  it('says that an arm of probability 0 cannot have been dealt', () => {
    const impossible = checkSampleRatio([{ armIndex: 1, probabilities: [1, 0] }], 2);
    expect(impossible).toMatchObject({ status: 'mismatch', pValue: 0 });
    expect(checkSampleRatio([{ armIndex: 0, probabilities: [1, 0] }], 2)).toMatchObject({ status: 'as-logged' });
  });
});

/** @param stolen share of deals that went to arm 0 whatever was drawn. */
function decisions(seed: number, stolen: number): DealtDecision[] {
  const random = seededRandom(seed);
  return Array.from({ length: 20_000 }, () => {
    const share = 0.1 + 0.5 * random.next();
    const probabilities = [share, 0.3, 0.7 - share];
    const u = random.next();
    const drawn = u < share ? 0 : u < share + 0.3 ? 1 : 2;
    return { armIndex: random.next() < stolen ? 0 : drawn, probabilities };
  });
}
