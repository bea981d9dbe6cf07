import { describe, expect, it } from 'vitest';
import { AnswerMemo } from '../../../../services/core/policies/answer-memo.ts';

const NONE = new Float64Array();

describe('the memo of answers', () => {
  it('computes the answer for a subset once', () => {
    const { memo, computed } = recording(4);
    expect([...memo.find(NONE, [1, 3])]).toEqual([1, 3]);
    expect([...memo.find(NONE, [1, 3])]).toEqual([1, 3]);
    expect(computed).toEqual([[1, 3]]);
  });

  it('tells contexts apart, even those that hash alike', () => {
    const { memo, computed } = recording(4);
    const contexts = [[0], [1], [1.25], [1.5], [1, 0]].map((context) => Float64Array.from(context));
    for (const context of contexts) expect([...memo.find(context, [2])]).toEqual([...context, 2]);
    expect(computed).toHaveLength(contexts.length);
    memo.find(contexts[0]!, [2]);
    expect(computed).toHaveLength(contexts.length);
  });

  it('is not misled when the caller reuses its arrays', () => {
    const { memo } = recording(4);
    const eligible = [0, 2];
    const context = Float64Array.of(1);
    memo.find(context, eligible);
    eligible[1] = 3;
    expect([...memo.find(context, eligible)]).toEqual([1, 0, 3]);
    context[0] = 5;
    expect([...memo.find(context, eligible)]).toEqual([5, 0, 3]);
    expect([...memo.find(Float64Array.of(1), [0, 2])]).toEqual([1, 0, 2]);
  });

  it('holds a bounded number of cells, and the answer that nobody asked for the longest goes first', () => {
    const { memo, computed } = recording(2 ** 18);
    for (const arm of [1, 2, 3, 4, 1, 5]) memo.find(NONE, [arm]);
    expect(memo.size).toBe(4);
    memo.find(NONE, [1]);
    expect(computed).toHaveLength(5);
    memo.find(NONE, [2]);
    expect(computed).toHaveLength(6);
  });
});

function recording(armCount: number): { memo: AnswerMemo; computed: number[][] } {
  const computed: number[][] = [];
  const memo = new AnswerMemo(armCount, (context, eligible) => {
    computed.push([...eligible]);
    return Float64Array.from([...context, ...eligible]);
  });
  return { memo, computed };
}
