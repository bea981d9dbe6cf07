import { describe, expect, it } from 'vitest';
import { Invalid } from '../../../../services/core/errors.ts';
import { allPolicies, findPolicy, validateParameters } from '../../../../services/core/policies/registry.ts';

describe('the policy registry', () => {
  it('finds every policy by its kind, each kind once', () => {
    const kinds = allPolicies().map((policy) => policy.kind);
    expect(kinds).toEqual([...new Set(kinds)].sort());
    for (const policy of allPolicies()) expect(findPolicy(policy.kind)).toBe(policy);
  });

  it('names what is allowed when a kind is unknown', () => {
    expect(() => findPolicy('thompson')).toThrow(Invalid);
    const kinds = allPolicies().map((policy) => policy.kind);
    expect(() => findPolicy('thompson')).toThrow(`thompson is unknown, allowed are ${kinds.join(', ')}`);
  });

  it('fills in defaults, each within its own range', () => {
    for (const policy of allPolicies()) {
      const filled = validateParameters(policy, new Map());
      expect([...filled.keys()]).toEqual(policy.parameters.map((spec) => spec.name));
      for (const spec of policy.parameters) expect(filled.get(spec.name)).toBe(spec.default);
    }
    const ranged = allPolicies().flatMap((policy) => policy.parameters);
    for (const spec of ranged) expect(spec.default).toSatisfy((v: number) => v >= spec.min && v <= spec.max);
  });

  it('keeps a given value', () => {
    expect(validateParameters(findPolicy('linucb'), new Map([['alpha', 0.25]])).get('alpha')).toBe(0.25);
  });

  it.each([
    ['a value above the range', 'epsilon', 1.5, /epsilon is 1.5, allowed 0 to 1/],
    ['NaN', 'epsilon', Number.NaN, /epsilon is NaN, allowed 0 to 1/],
    ['an unknown name', 'epsilom', 0.1, /no parameter epsilom, it has epsilon/],
  ])('refuses %s', (_what, name, value, message) => {
    const policy = findPolicy('epsilon-greedy');
    expect(() => validateParameters(policy, new Map([[name, value]]))).toThrow(Invalid);
    expect(() => validateParameters(policy, new Map([[name, value]]))).toThrow(message);
  });

  it('says so when a policy has no parameter at all', () => {
    const given = new Map([['alpha', 1]]);
    expect(() => validateParameters(findPolicy('ucb1-tuned'), given)).toThrow(
      'policy ucb1-tuned has no parameter alpha, it has none',
    );
  });
});
