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

test('a policy that learns may forget, by one measure', () => {
  const { label, spec, forgetting } = parsePolicy('epsilon-greedy:half-life=500:epsilon=.2');
  expect(label).toBe('epsilon-greedy:half-life=500:epsilon=.2');
  expect([...spec.parameters]).toEqual([['epsilon', 0.2]]);
  expect(forgetting).toEqual({ kind: 'half-life', spanSteps: 500 });
  expect(parsePolicy('ucb1:window=1000').forgetting).toEqual({ kind: 'window', spanSteps: 1_000 });
  expect(parsePolicy('ucb1').forgetting).toBeNull();
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
  ['random:window=5', /random takes no parameters/],
  ['ucb1:window=5:half-life=5', /half-life and window, allowed is one/],
  ['ucb1:window=0', /window is 0, allowed whole steps from 1 to 34560000/],
  ['ucb1:half-life=1.5', /half-life is 1.5, allowed whole steps/],
])('%s is refused', (text, message) => {
  expect(() => parsePolicy(text)).toThrow(message);
});
