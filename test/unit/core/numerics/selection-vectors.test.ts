import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NormalPosteriors } from '../../../../services/core/numerics/normal-posteriors.ts';
import { NormalSelection } from '../../../../services/core/numerics/normal-selection.ts';
import { selectionProbabilities } from '../../../../services/core/numerics/selection-probabilities.ts';
import { TPosteriors } from '../../../../services/core/numerics/t-posteriors.ts';
import { seededRandom } from '../../../../services/core/random.ts';

interface Case {
  readonly name: string;
  readonly location: readonly number[];
  readonly scale: readonly number[];
  readonly degreesOfFreedom: readonly number[];
  readonly probabilities: readonly number[];
}
const normalCases = casesOf('normal-selection');
const tCases = casesOf('t-selection');

describe('exact selection probabilities of normal posteriors', () => {
  it('has the golden cases', () => expect(normalCases).toHaveLength(7));

  it.each(normalCases)('reproduces: $name', ({ location, scale, probabilities }) => {
    expectGolden(selectNormal(location, scale), probabilities);
  });

  it.each(normalCases)('reproduces by the fast rule for requests: $name', ({ location, scale, probabilities }) => {
    const found = new Float64Array(location.length);
    new NormalSelection(location.length).select(Float64Array.from(location), Float64Array.from(scale), found);
    expectGolden(found, probabilities);
  });

  it.each(rareOf(normalCases))(
    'keeps three digits of a probability of 2e-12, and never calls it zero: $name',
    ({ location, scale, probabilities }) => {
      const fast = new Float64Array(location.length);
      new NormalSelection(location.length).select(Float64Array.from(location), Float64Array.from(scale), fast);
      expect(selectNormal(location, scale)[0]! / probabilities[0]!).toBeCloseTo(1, 3);
      expect(fast[0]! / probabilities[0]!).toBeCloseTo(1, 3);
    },
  );

  it('adds up to 1 ± 1e-9 for arms of wildly different width', () => {
    const random = seededRandom(12);
    for (let round = 0; round < 300; round++) {
      const size = 2 + Math.floor(random.next() * 30);
      const location = Array.from({ length: size }, random.next);
      const scale = Array.from({ length: size }, () => 10 ** (-9 * random.next()));
      const found = selectNormal(location, scale);
      expect(Math.abs(sum(found) - 1), JSON.stringify([location, scale])).toBeLessThanOrEqual(1e-9);
    }
  });

  it('shares evenly among 4,000 equal arms, |Σp − 1| ≤ 1e-9', () => {
    expectEven(selectNormal(new Array(4000).fill(0.5), new Array(4000).fill(0.01)));
  });
});

describe("exact selection probabilities of Student's t posteriors", () => {
  it('has the golden cases', () => expect(tCases).toHaveLength(8));

  it.each(tCases)('reproduces: $name', ({ location, scale, degreesOfFreedom, probabilities }) => {
    expectGolden(selectT(location, scale, degreesOfFreedom), probabilities);
  });

  it.each(rareOf(tCases))(
    'keeps three digits of a probability of 2e-12, and never calls it zero: $name',
    ({ location, scale, degreesOfFreedom, probabilities }) => {
      expect(selectT(location, scale, degreesOfFreedom)[0]! / probabilities[0]!).toBeCloseTo(1, 3);
    },
  );

  it('is normal with very many degrees of freedom', () => {
    for (const { location, scale } of normalCases) {
      const found = selectT(location, scale, new Array(location.length).fill(1e13));
      for (const [arm, p] of selectNormal(location, scale).entries()) expect(found[arm]).toBeCloseTo(p, 10);
    }
  });

  it('adds up to 1 ± 1e-9 for arms of wildly different width and weight', () => {
    const random = seededRandom(13);
    for (let round = 0; round < 300; round++) {
      const size = 2 + Math.floor(random.next() * 30);
      const location = Array.from({ length: size }, random.next);
      const scale = Array.from({ length: size }, () => 10 ** (-6 * random.next()));
      const freedom = Array.from({ length: size }, () => 10 ** (9 * random.next() ** 2));
      const found = selectT(location, scale, freedom);
      expect(Math.abs(sum(found) - 1), JSON.stringify([location, scale, freedom])).toBeLessThanOrEqual(1e-9);
    }
  });

  it.each([1, 2, 3, 30, 1e6])('shares evenly among 4,000 equal arms with ν = %d, |Σp − 1| ≤ 1e-9', (freedom) => {
    expectEven(selectT(new Array(4000).fill(0.5), new Array(4000).fill(0.01), new Array(4000).fill(freedom)));
  });
});

function casesOf(file: string): readonly Case[] {
  return JSON.parse(readFileSync(new URL(`../../../../schemas/vectors/${file}.json`, import.meta.url), 'utf8')).cases;
}

function rareOf(cases: readonly Case[]): readonly Case[] {
  return cases.filter(({ name }) => name.startsWith('one in'));
}

function selectNormal(location: readonly number[], scale: readonly number[]): Float64Array {
  return selectionProbabilities(new NormalPosteriors(Float64Array.from(location), Float64Array.from(scale)));
}

function selectT(location: readonly number[], scale: readonly number[], freedom: readonly number[]): Float64Array {
  const family = new TPosteriors(Float64Array.from(location), Float64Array.from(scale), Float64Array.from(freedom));
  return selectionProbabilities(family);
}

function expectGolden(found: Float64Array, probabilities: readonly number[]): void {
  expect(found).toHaveLength(probabilities.length);
  for (const [arm, expected] of probabilities.entries()) {
    const tolerance = Math.max(1e-9 * expected, 1e-10);
    expect(Math.abs(found[arm]! - expected), `arm ${arm}`).toBeLessThanOrEqual(tolerance);
  }
}

function expectEven(found: Float64Array): void {
  expect(Math.abs(sum(found) - 1)).toBeLessThanOrEqual(1e-9);
  for (const p of found) expect(Math.abs(p * found.length - 1)).toBeLessThanOrEqual(1e-9);
}

function sum(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0);
}
