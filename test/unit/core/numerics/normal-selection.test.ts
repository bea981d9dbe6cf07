import { describe, expect, it } from 'vitest';
import { normalTwoSidedTail } from '../../../../services/core/numerics/normal.ts';
import { NormalPosteriors } from '../../../../services/core/numerics/normal-posteriors.ts';
import { NormalSelection } from '../../../../services/core/numerics/normal-selection.ts';
import { selectionProbabilities } from '../../../../services/core/numerics/selection-probabilities.ts';
import { seededRandom } from '../../../../services/core/random.ts';

describe('selection among normals for a request', () => {
  it('agrees with Φ for two arms, near and far apart', () => {
    for (const distance of [0, 1e-9, 0.3, 1, 2, 4, 6]) {
      const expected = normalTwoSidedTail(distance / Math.hypot(1, 0.2)) / 2;
      const [p] = select([0, distance], [1, 0.2]);
      expect(Math.abs(p! - expected)).toBeLessThan(1e-12);
    }
  });

  it.each([
    ['equal arms', 20, 0, 1],
    ['near-equal arms', 20, 0.01, 1.1],
    ['arms apart', 20, 3, 10],
    ['widths apart', 20, 0.1, 1_000],
    ['widths far apart', 6, 1, 1e5],
    ['many arms', 400, 1, 30],
    ['thousands of arms', 4_000, 0.1, 3],
  ])('agrees with the slower rule to 1e-9 and adds up to 1, for %s', (_, size, spread, ratio) => {
    const random = seededRandom(size + ratio);
    const means = Array.from({ length: size }, () => spread * random.normal());
    const deviations = Array.from({ length: size }, () => ratio ** -random.next());
    const probabilities = select(means, deviations);
    const reference = selectionProbabilities(
      new NormalPosteriors(Float64Array.from(means), Float64Array.from(deviations)),
    );
    for (const [i, p] of probabilities.entries()) expect(Math.abs(p - reference[i]!)).toBeLessThan(1e-9);
    expect(Math.abs(probabilities.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-10);
  });

  it('does not miss a narrow arm among flat ones, nor one that is all but hopeless', () => {
    const [flat, narrow] = select([0, 5], [1, 1e-6]);
    expect(flat! / (normalTwoSidedTail(5) / 2)).toBeCloseTo(1, 4);
    expect(narrow).toBeCloseTo(1, 6);
    // P(N(0, 1) > N(9.9, 1)) is 1.3e-12.
    const hopeless = select([0, 9.9], [1, 1])[0]!;
    expect(hopeless / (normalTwoSidedTail(9.9 / Math.SQRT2) / 2)).toBeCloseTo(1, 2);
  });

  it('does not depend on what it selected before', () => {
    const selection = new NormalSelection(5);
    const ask = (means: number[]) => {
      const p = new Float64Array(means.length);
      selection.select(Float64Array.from(means), new Float64Array(means.length).fill(0.3), p);
      return [...p];
    };
    const fresh = ask([0.1, 0.2, 0.3]);
    ask([5, 4, 3, 2, 1]);
    expect(ask([0.1, 0.2, 0.3])).toEqual(fresh);
    expect(ask([7])).toEqual([1]);
    expect(() => ask([1, 2, 3, 4, 5, 6])).toThrow('6 normals to select from, allowed 1 to 5');
  });
});

function select(means: readonly number[], deviations: readonly number[]): number[] {
  const probabilities = new Float64Array(means.length);
  new NormalSelection(means.length).select(Float64Array.from(means), Float64Array.from(deviations), probabilities);
  return [...probabilities];
}
