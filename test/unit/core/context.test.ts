import { describe, expect, it } from 'vitest';
import { type ContextValue, encodeContext } from '../../../services/core/context.ts';
import { Invalid } from '../../../services/core/errors.ts';
import type { Feature } from '../../../services/core/experiment.ts';

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
