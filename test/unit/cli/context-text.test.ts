import { expect, it } from 'vitest';
import { namedContext } from '../../../services/cli/context-text.ts';
import type { ContextValue } from '../../../services/core/context.ts';
import { encodeContext } from '../../../services/core/deciding/encode-context.ts';
import type { Feature } from '../../../services/core/experiment.ts';

const FEATURES: readonly Feature[] = [
  { kind: 'cross', name: 'both', of: ['region', 'returning'] },
  { kind: 'boolean', name: 'returning' },
  { kind: 'category', name: 'region', values: ['CN', 'US', 'SEA'] },
  { kind: 'number', name: 'age', mean: 40, scale: 10 },
  { kind: 'hash', name: 'campaign', buckets: 4 },
];

it('an encoded context is read back by the names and values that it was encoded from', () => {
  const read = (context: Readonly<Record<string, ContextValue>>) => {
    const { features } = encodeContext(FEATURES, new Map(Object.entries(context)));
    return namedContext(FEATURES, [...features]).map(({ value }) => value);
  };
  const bucket = expect.stringMatching(/^bucket [0-3]$/);
  for (const region of ['CN', 'US', 'SEA']) {
    for (const returning of [false, true]) {
      const value = read({ returning, region, age: 30, campaign: 'spring' });
      expect(value).toEqual([`${region} × ${returning}`, returning, region, 30, bucket]);
    }
  }
  expect(read({ returning: true, region: 'EU', age: 30, campaign: '' })).toEqual([null, true, null, 30, bucket]);
});
