import { expect, test } from 'vitest';
import { parsePolicy } from '../../../services/simulator/policies.ts';

test('a policy is named with its parameters, defaults filled in', () => {
  const { label, spec, yardstick } = parsePolicy('linucb:alpha=.5:lambda=2');
  expect(label).toBe('linucb:alpha=.5:lambda=2');
  expect(spec.kind).toBe('linucb');
  expect(spec.parameters.get('alpha')).toBe(0.5);
  expect(spec.parameters.get('lambda')).toBe(2);
  expect(yardstick).toBeNull();
  expect(parsePolicy('epsilon-greedy').spec.parameters.get('epsilon')).toBe(0.1);
});

test('random deals all alike, always-first the first', () => {
  const probabilities = (kind: string) => parsePolicy(kind).yardstick!.probabilities(new Float64Array(0), [1, 3, 4, 7]);
  expect([...probabilities('random')]).toEqual([0.25, 0.25, 0.25, 0.25]);
  expect([...probabilities('always-first')]).toEqual([1, 0, 0, 0]);
});

test.each([
  ['linucbx', /policy linucbx is unknown, allowed are random, always-first, .*linucb/],
  ['linucb:beta=1', /linucb has no parameter beta/],
  ['linucb:alpha=-1', /alpha is -1, allowed 0 to/],
  ['linucb:alpha', /allowed is name=number/],
  ['linucb:alpha=', /allowed is name=number/],
  ['random:p=1', /random takes no parameters/],
])('%s is refused', (text, message) => {
  expect(() => parsePolicy(text)).toThrow(message);
});
