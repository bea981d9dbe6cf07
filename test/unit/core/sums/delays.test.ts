import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../services/core/random.ts';
import { bucketEndMs, DELAY_BUCKETS, DELAY_TICKS, delayBucket, tickOf } from '../../../../services/core/sums/delays.ts';

const WINDOWS_MS = [100, 86_400_000, 7 * 86_400_000 + 1, 400 * 86_400_000];

describe('the buckets of delay', () => {
  it.each(WINDOWS_MS)(
    'of a window of %i ms each take what lies up to their end and beyond the one before',
    (windowMs) => {
      const random = seededRandom(windowMs);
      const drawn = Array.from({ length: 2_000 }, () => Math.floor(windowMs * 2 ** (-17 * random.next())));
      const edges = Array.from({ length: DELAY_BUCKETS }, (_, bucket) => Math.floor(bucketEndMs(bucket, windowMs)));
      for (const delayMs of [
        0,
        1,
        windowMs,
        ...drawn,
        ...edges,
        ...edges.map((edge) => Math.min(windowMs, edge + 1)),
      ]) {
        const bucket = delayBucket(delayMs, windowMs);
        expect(delayMs).toBeLessThanOrEqual(bucketEndMs(bucket, windowMs));
        if (bucket > 0) expect(delayMs).toBeGreaterThan(bucketEndMs(bucket - 1, windowMs));
      }
    },
  );

  it('grow by a quarter at most, from 2⁻¹⁶ of the window to the window', () => {
    const ends = Array.from({ length: DELAY_BUCKETS }, (_, bucket) => bucketEndMs(bucket, 65_536));
    expect([ends[0], ends.at(-1)]).toEqual([1, 65_536]);
    ends.slice(1).forEach((end, at) => {
      expect(end / ends[at]!).toBeGreaterThan(1.1);
      expect(end / ends[at]!).toBeLessThanOrEqual(1.25);
    });
  });
});

it('a cohort has sixteen ticks, the first from its beginning and the last up to its end', () => {
  expect([1_600, 1_699, 1_700, 3_199].map((timeMs) => tickOf(timeMs, 1_600))).toEqual([0, 0, 1, DELAY_TICKS - 1]);
});
