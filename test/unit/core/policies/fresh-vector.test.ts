import { describe, expect, it } from 'vitest';
import { freshCopy, freshVector } from '../../../../services/core/policies/fresh-vector.ts';

describe('a fresh vector', () => {
  it('is of zeros and its caller’s own, whatever is written to those before and after', () => {
    const lengths = Array.from({ length: 3_000 }, (_, i) => (i * 37) % 140);
    const vectors = lengths.map((length) => freshVector(length));
    for (const [i, vector] of vectors.entries()) {
      expect(vector).toHaveLength(lengths[i]!);
      expect(vector.every((cell) => cell === 0)).toBe(true);
      vector.fill(i + 1);
    }
    for (const [i, vector] of vectors.entries()) expect(vector.every((cell) => cell === i + 1)).toBe(true);
  });

  it('may be a copy, which does not follow its model', () => {
    const model = Float64Array.of(1, 2, 3);
    const copy = freshCopy(model);
    model.fill(0);
    expect([...copy]).toEqual([1, 2, 3]);
  });
});
