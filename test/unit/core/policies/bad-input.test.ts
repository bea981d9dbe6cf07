import { describe, expect, it } from 'vitest';
import { Corrupt, Invalid } from '../../../../services/core/errors.ts';
import { allPolicies, findPolicy, validateParameters } from '../../../../services/core/policies/registry.ts';
import { N, SUM_R, SUM_R_OVER_P, SUM_RR } from '../../../../services/core/sums/layout.ts';
import { counted, NO_CONTEXT, served } from './policies.ts';

const contextFree = allPolicies().filter(({ contextual }) => !contextual);
const CELLS = { n: N, sumR: SUM_R, sumRR: SUM_RR, sumROverP: SUM_R_OVER_P } as const;
/** What each policy learns from. */
const READS: readonly (readonly [kind: string, cells: readonly (keyof typeof CELLS)[]])[] = [
  ['beta-ts', ['n', 'sumR']],
  ['epsilon-greedy', ['n', 'sumR']],
  ['epsilon-greedy-annealed', ['n', 'sumR']],
  ['epsilon-greedy-decayed', ['n', 'sumR']],
  ['exp3', ['sumROverP']],
  ['explore-then-commit', ['n', 'sumR']],
  ['fixed-split', []],
  ['gaussian-ts', ['n', 'sumR', 'sumRR']],
  ['proportional', ['n', 'sumR']],
  ['softmax', ['n', 'sumR']],
  ['ucb1', ['n', 'sumR']],
  ['ucb1-tuned', ['n', 'sumR', 'sumRR']],
];
const WRONG = [Number.NaN, Number.POSITIVE_INFINITY, -2];

describe('a context-free policy', () => {
  it('is in the table of what each reads', () => {
    expect(READS.map(([kind]) => kind)).toEqual(contextFree.map(({ kind }) => kind));
  });

  it.each(READS)('names the arm and the sum that no rewards can give: %s', (kind, cells) => {
    for (const name of cells) {
      for (const value of WRONG) {
        const input = counted([
          [10, 5],
          [10, 5],
        ]);
        input.sums[1]![CELLS[name]] = value;
        const serving = () => served(findPolicy(kind), input);
        expect(serving).toThrow(Corrupt);
        expect(serving).toThrow(`arm arm-2: ${name} is ${value}, allowed is a finite number of at least 0`);
      }
    }
  });

  it.each(contextFree)('refuses an experiment without arms: $kind', (policy) => {
    expect(() => served(policy, counted([]))).toThrow(Invalid);
    expect(() => served(policy, counted([]))).toThrow('no arm to choose, at least one is needed');
  });

  it.each(contextFree)('refuses a request without an eligible arm: $kind', (policy) => {
    const serving = served(policy, counted([[10, 5]]));
    for (const answer of [serving.probabilities, serving.scores]) {
      expect(() => answer(NO_CONTEXT, [])).toThrow(Invalid);
      expect(() => answer(NO_CONTEXT, [])).toThrow('no arm is eligible, at least one is needed');
    }
  });

  it.each(contextFree)('refuses unknown parameters and values out of range: $kind', (policy) => {
    expect(() => validateParameters(policy, new Map([['speed', 1]]))).toThrow(
      `policy ${policy.kind} has no parameter speed`,
    );
    for (const { name, min, max } of policy.parameters) {
      for (const value of [min - 1, max + 1, Number.NaN]) {
        expect(() => validateParameters(policy, new Map([[name, value]]))).toThrow(
          `policy ${policy.kind}: ${name} is ${value}, allowed ${min} to ${max}`,
        );
      }
    }
  });

  it.each(contextFree)('serves at both ends of every range: $kind', (policy) => {
    const input = counted([
      [0, 0],
      [1000, 1000],
      [1e6, 10],
    ]);
    for (const { name, min, max } of policy.parameters) {
      for (const value of [min, max]) {
        const probabilities = served(policy, input, { [name]: value }).probabilities(NO_CONTEXT, [0, 1, 2]);
        const total = probabilities.reduce((sum, p) => sum + p, 0);
        expect(Math.abs(total - 1), `${name} ${value}`).toBeLessThanOrEqual(1e-12);
        for (const p of probabilities) expect(p).toBeGreaterThanOrEqual(0);
      }
    }
  });
});

describe('proportional', () => {
  it('refuses a negative mean, by arm and value', () => {
    const input = counted([
      [10, 5],
      [10, -1],
    ]);
    expect(() => served(findPolicy('proportional'), input)).toThrow('arm arm-2: sumR is -1');
  });
});

describe('Beta Thompson sampling', () => {
  it('refuses more reward than there are decisions', () => {
    const input = counted([[10, 12]]);
    expect(() => served(findPolicy('beta-ts'), input)).toThrow(Corrupt);
    expect(() => served(findPolicy('beta-ts'), input)).toThrow(
      'arm arm-1: sumR is 12, allowed is at most n, which is 10',
    );
  });
});

describe('a fixed split', () => {
  it.each([
    [-0.1, 'arm arm-2 has the attribute share -0.1, allowed 0 to 1000000'],
    [Number.NaN, 'arm arm-2 has the attribute share NaN, allowed 0 to 1000000'],
    [1e7, 'arm arm-2 has the attribute share 10000000, allowed 0 to 1000000'],
  ])('refuses a share of %d', (share, message) => {
    const input = counted([
      [0, 0],
      [0, 0],
    ]);
    const attributes = [new Map([['share', 0.5]]), new Map([['share', share]])];
    expect(() => served(findPolicy('fixed-split'), { ...input, attributes })).toThrow(Invalid);
    expect(() => served(findPolicy('fixed-split'), { ...input, attributes })).toThrow(message);
  });
});
