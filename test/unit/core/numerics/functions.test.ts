import { describe, expect, it } from 'vitest';
import { INTEGRAL_TO_RIGHT, NODES, WEIGHTS } from '../../../../services/core/numerics/gauss-legendre.ts';
import { normalTwoSidedTail } from '../../../../services/core/numerics/normal.ts';
import { stirlingCorrection } from '../../../../services/core/numerics/stirling.ts';

describe("Stirling's correction", () => {
  it.each([1, 2, 3, 5, 10, 15, 25, 100])('gives ln (x − 1)! at x = %d', (x) => {
    let exact = 0;
    for (let k = 2; k < x; k++) exact += Math.log(k);
    const found = (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + stirlingCorrection(x);
    expect(Math.abs(found - exact)).toBeLessThan(1e-15 * (20 + exact));
  });

  it('gives ln Γ(½) = ½ ln π, and refuses what is not positive', () => {
    const found = 0 - 0.5 + 0.5 * Math.log(2 * Math.PI) + stirlingCorrection(0.5);
    expect(found).toBeCloseTo(0.5 * Math.log(Math.PI), 14);
    expect(() => stirlingCorrection(0)).toThrow('allowed above 0');
    expect(() => stirlingCorrection(Number.NaN)).toThrow('allowed above 0');
  });
});

describe('the normal tail', () => {
  // erfc(z/√2) with 30 digits of mpmath for Python.
  it.each([
    [0, 1.0],
    [0.1, 0.920344325445942],
    [1, 0.3173105078629141],
    [1.96, 0.04999579029644087],
    [3, 0.002699796063260189],
    [3.53, 0.0004155596669612429],
    [3.54, 0.00040012703201464036],
    [6, 1.973175290075396e-9],
    [20, 5.5072482372124675e-89],
  ])('is right to twelve digits at %d', (z, expected) => {
    expect(normalTwoSidedTail(z) / expected).toBeCloseTo(1, 12);
    expect(normalTwoSidedTail(-z)).toBe(normalTwoSidedTail(z));
  });

  it('ends at 0', () => expect(normalTwoSidedTail(Number.POSITIVE_INFINITY)).toBe(0));
});

describe('Gauss–Legendre', () => {
  it('integrates powers up to 31 exactly', () => {
    for (let power = 0; power <= 31; power++) {
      const found = NODES.reduce((sum, s, k) => sum + WEIGHTS[k]! * s ** power, 0);
      const error = Math.abs(found - (power % 2 === 0 ? 2 / (power + 1) : 0));
      expect(error).toBeLessThan(1e-14);
    }
  });

  it('integrates powers up to 15 from each node to the right end', () => {
    for (let power = 0; power <= 15; power++) {
      for (let k = 0; k < 16; k++) {
        let found = 0;
        for (let m = 0; m < 16; m++) found += INTEGRAL_TO_RIGHT[k * 16 + m]! * NODES[m]! ** power;
        expect(found).toBeCloseTo((1 - NODES[k]! ** (power + 1)) / (power + 1), 13);
      }
    }
  });
});
