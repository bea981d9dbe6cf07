import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { murmur3, uniform53 } from '../../../../services/core/allocation/hash.ts';

interface Vectors {
  readonly hashes: readonly { readonly text: string; readonly seed: number; readonly words: readonly string[] }[];
  readonly draws: readonly { readonly salt: string; readonly unit: string; readonly draw: number }[];
}
const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../../schemas/vectors/draw.json', import.meta.url), 'utf8'),
);

describe('the draw', () => {
  it('hashes every golden text as the reference does', () => {
    expect(vectors.hashes).toHaveLength(68);
    for (const { text, seed, words } of vectors.hashes) {
      const hex = murmur3(text, seed).map((word) => word.toString(16).padStart(8, '0'));
      expect(hex, `${text.slice(0, 40)} with seed ${seed}`).toEqual(words);
    }
  });

  it('draws every golden unit as the reference does', () => {
    expect(vectors.draws).toHaveLength(9);
    for (const { salt, unit, draw } of vectors.draws) expect(uniform53(salt, unit), `${salt} ${unit}`).toBe(draw);
  });

  it('does not let a long text leave anything behind for a short one', () => {
    const before = murmur3('short', 7);
    murmur3('ÿ'.repeat(5000), 7);
    expect(murmur3('short', 7)).toEqual(before);
  });

  it('spreads units evenly', () => {
    // χ² with 99 degrees of freedom: 99.99% lie below 161.3.
    expect(chiSquared(counts(100, 100_000, (i) => uniform53('spread/1', `user-${i}`)))).toBeLessThan(161.3);
  });

  it('gives a unit unrelated draws under two salts', () => {
    const cells = new Float64Array(100);
    for (let i = 0; i < 100_000; i++) {
      const row = Math.floor(uniform53('exp/1', `user-${i}`) * 10);
      cells[row * 10 + Math.floor(uniform53('exp/2', `user-${i}`) * 10)]! += 1;
    }
    expect(chiSquared(cells)).toBeLessThan(161.3);
  });

  it('can deal an arm of probability .0004, which buckets of a thousandth cannot', () => {
    let below = 0;
    for (let i = 0; i < 100_000; i++) if (uniform53('rare', `${i}`) < 0.0004) below++;
    // 40 expected, standard deviation 6.3.
    expect(below).toBeGreaterThan(15);
    expect(below).toBeLessThan(65);
  });
});

function counts(cellCount: number, draws: number, draw: (i: number) => number): Float64Array {
  const cells = new Float64Array(cellCount);
  for (let i = 0; i < draws; i++) cells[Math.floor(draw(i) * cellCount)]! += 1;
  return cells;
}

function chiSquared(cells: Float64Array): number {
  const expected = cells.reduce((a, b) => a + b, 0) / cells.length;
  return cells.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}
