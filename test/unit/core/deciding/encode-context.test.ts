import { describe, expect, it } from 'vitest';
import type { ContextValue } from '../../../../services/core/context.ts';
import { encodeContext } from '../../../../services/core/deciding/encode-context.ts';
import { Invalid } from '../../../../services/core/errors.ts';
import type { Feature } from '../../../../services/core/experiment.ts';

const FEATURES: readonly Feature[] = [
  { kind: 'boolean', name: 'returning' },
  { kind: 'number', name: 'age', mean: 40, scale: 10 },
  { kind: 'category', name: 'region', values: ['CN', 'US', 'SEA'] },
];
const VALID: Record<string, ContextValue> = { returning: true, age: 33, region: 'US' };

describe('encoding a context', () => {
  it('puts the intercept first and then the features in order', () => {
    const { features, clipped } = encode(VALID);
    expect([...features]).toEqual([1, 1, -45875 / 65536, 0, 1, 0]);
    expect(clipped).toBe(0);
  });

  it('rounds numbers to the feature grid', () => {
    const value = encode({ ...VALID, age: 40 + 10 / 3 }).features[2]!;
    expect(value * 65536).toBe(Math.round(65536 / 3));
  });

  it('never makes a negative zero', () => {
    expect(Object.is(encode({ ...VALID, age: 39.9999999 }).features[2], 0)).toBe(true);
  });

  it('cuts numbers to ±16 and counts them', () => {
    expect(encode({ ...VALID, age: 1e300 })).toEqual({ features: Float64Array.of(1, 1, 16, 0, 1, 0), clipped: 1 });
    expect(encode({ ...VALID, age: -121 }).features[2]).toBe(-16);
    expect(encode({ ...VALID, age: 200 }).clipped).toBe(0);
  });

  it('encodes an unknown category as zeros and ignores keys that are not declared', () => {
    const { features } = encode({ ...VALID, region: 'EU', email: 'someone@example.org', ['__proto__']: 1 });
    expect([...features.subarray(3)]).toEqual([0, 0, 0]);
  });

  it('encodes a cross as one of all combinations, the last of its features varying fastest', () => {
    const crossed: readonly Feature[] = [
      { kind: 'cross', name: 'both', of: ['returning', 'region'] },
      { kind: 'cross', name: 'turned', of: ['region', 'returning'] },
      ...FEATURES,
    ];
    const encoded = (context: Record<string, ContextValue>) => {
      const { features } = encodeContext(crossed, new Map(Object.entries({ ...VALID, ...context })));
      expect(features).toHaveLength(18);
      return [features.subarray(1, 7), features.subarray(7, 13)].map((part) => [...part].join(''));
    };
    expect(encoded({ returning: false, region: 'CN' })).toEqual(['100000', '100000']);
    expect(encoded({ returning: true, region: 'CN' })).toEqual(['000100', '010000']);
    expect(encoded({ returning: false, region: 'SEA' })).toEqual(['001000', '000010']);
    expect(encoded({ returning: true, region: 'EU' })).toEqual(['000000', '000000']);
  });

  it('does not read a cross from the request, but what it crosses', () => {
    const crossed: readonly Feature[] = [...FEATURES, { kind: 'cross', name: 'both', of: ['returning', 'region'] }];
    const context = new Map(Object.entries({ ...VALID, both: 'x' }));
    expect(encodeContext(crossed, context).features.subarray(6).indexOf(1)).toBe(4);
    context.delete('region');
    expect(() => encodeContext(crossed, context)).toThrow('region is missing, allowed is a string');
    expect(() => encodeContext([{ kind: 'cross', name: 'x', of: ['age', 'sex'] }], context)).toThrow(
      'feature x crosses age, allowed are booleans and categories of the context',
    );
  });

  it('hashes any text into one of the buckets, for good', () => {
    const feature: Feature = { kind: 'hash', name: 'campaign', buckets: 8 };
    const bucket = (value: string) => {
      const { features } = encodeContext([feature], new Map([['campaign', value]]));
      expect([features.length, features[0], features.reduce((a, b) => a + b)]).toEqual([9, 1, 2]);
      return features.indexOf(1, 1) - 1;
    };
    // floor(8 u) of the draw's hash, salt "campaign": part of the format of definitions.
    expect(['', 'spring', 'summer', 'ünï'].map(bucket)).toEqual([2, 5, 2, 6]);
    const counts = new Float64Array(8);
    for (let i = 0; i < 8_000; i++) counts[bucket(`c${i}`)]! += 1;
    // 7 degrees of freedom: 99.99% lie below 29.9.
    expect(counts.reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0)).toBeLessThan(29.9);
    expect(() => encodeContext([feature], new Map([['campaign', 7]]))).toThrow('campaign is 7, allowed is a string');
  });

  it('is empty for an experiment without context', () => {
    expect(encodeContext([], new Map([['age', 3]])).features).toHaveLength(0);
  });

  it.each([
    ['NaN', { ...VALID, age: Number.NaN }, /age is NaN, allowed is a finite number/],
    ['infinity', { ...VALID, age: Number.POSITIVE_INFINITY }, /age is Infinity/],
    ['a number given as text', { ...VALID, age: '33' }, /age is "33", allowed is a finite number/],
    ['a missing feature', { age: 33, region: 'US' }, /returning is missing, allowed is true or false/],
    ['a number for a boolean', { ...VALID, returning: 1 }, /returning is 1, allowed is true or false/],
    ['a number for a category', { ...VALID, region: 3 }, /region is 3, allowed is a string/],
  ])('refuses %s', (_what, context, message) => {
    expect(() => encode(context)).toThrow(Invalid);
    expect(() => encode(context)).toThrow(message);
  });
});

function encode(context: Readonly<Record<string, ContextValue>>) {
  return encodeContext(FEATURES, new Map(Object.entries(context)));
}
