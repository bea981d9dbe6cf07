import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../services/core/random.ts';

describe('seeded chance', () => {
  it('gives the numbers that an independent sfc32 in whole-number arithmetic gives', () => {
    // Computed in Python.
    const golden: [number, number[]][] = [
      [1, [0.46849007262753606, 0.3975892149411141, 0.4718119386552966]],
      [42, [0.2943939108991622, 0.9125655748162674, 0.15283041054181234]],
      [2 ** 40 + 7, [0.37596396184348846, 0.6615108198370583, 0.11766926672646982]],
    ];
    for (const [seed, expected] of golden) {
      const random = seededRandom(seed);
      expect([random.next(), random.next(), random.next()]).toEqual(expected);
    }
  });

  it('draws normals of mean 0, variance 1 and kurtosis 3', () => {
    const random = seededRandom(7);
    const n = 100_000;
    const moments = [0, 0, 0, 0];
    for (let i = 0; i < n; i++) {
      const z = random.normal();
      for (let k = 0; k < 4; k++) moments[k]! += z ** (k + 1) / n;
    }
    // Five standard errors each: 1/√n, √2/√n, √15/√n, √96/√n.
    const [mean, variance, third, fourth] = moments as [number, number, number, number];
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(third)).toBeLessThan(5 * Math.sqrt(15 / n));
    expect(Math.abs(fourth - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
  });
});
