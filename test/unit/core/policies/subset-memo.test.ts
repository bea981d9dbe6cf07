import { describe, expect, it } from 'vitest';
import { SubsetMemo } from '../../../../services/core/policies/subset-memo.ts';

describe('the subset memo', () => {
  it('computes a subset once, and the whole never', () => {
    const { memo, computed } = recording(4);
    expect(memo.find([0, 1, 2, 3])).toEqual(new Float64Array(4));
    expect([...memo.find([1, 3])]).toEqual([1, 3]);
    expect([...memo.find([1, 3])]).toEqual([1, 3]);
    expect(computed).toEqual([[1, 3]]);
  });

  it('is not misled when the caller reuses its array', () => {
    const { memo } = recording(4);
    const eligible = [0, 2];
    memo.find(eligible);
    eligible[1] = 3;
    expect([...memo.find(eligible)]).toEqual([0, 3]);
    expect([...memo.find([0, 2])]).toEqual([0, 2]);
  });

  it('holds a bounded number of cells, and the subset that nobody asked for the longest goes first', () => {
    const { memo, computed } = recording(2 ** 18);
    for (const arm of [1, 2, 3, 4, 1, 5]) memo.find([arm]);
    expect(memo.size).toBe(4);
    memo.find([1]);
    expect(computed).toHaveLength(5);
    memo.find([2]);
    expect(computed).toHaveLength(6);
  });
});

function recording(armCount: number): { memo: SubsetMemo; computed: number[][] } {
  const computed: number[][] = [];
  const memo = new SubsetMemo(new Float64Array(armCount), (eligible) => {
    computed.push([...eligible]);
    return Float64Array.from(eligible);
  });
  return { memo, computed };
}
