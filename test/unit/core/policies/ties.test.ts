/** Arms of which the same is known are dealt alike: nobody gains by being defined first. */
import { describe, expect, it } from 'vitest';
import { allPolicies } from '../../../../services/core/policies/registry.ts';
import { learned, type Observation, served } from './policies.ts';

const CONTEXT = [1, 0, 1];
const GREEDY = [
  'epsilon-greedy',
  'epsilon-greedy-annealed',
  'epsilon-greedy-decayed',
  'explore-then-commit',
  'linucb',
  'linucb-hybrid',
  'pucb',
  'ucb1',
  'ucb1-tuned',
];
/** Arms 1, 3 and 4 earned the same, arms 0 and 2 less. */
const BEST = [1, 3, 4];
const SEEN: readonly Observation[] = Array.from({ length: 600 }, (_, i) => {
  const arm = i % 5;
  const round = Math.floor(i / 5);
  const context = round % 2 === 0 ? CONTEXT : [1, 1, 0];
  return { arm, reward: BEST.includes(arm) ? Number(round % 3 > 0) : Number(round % 4 > 2), propensity: 0.2, context };
});

/** Layouts are never known alike: they share what is known of their parts. */
const policies = allPolicies().filter(({ layoutsOnly }) => layoutsOnly === undefined);

describe.each(policies)('$kind', (policy) => {
  const deal = (seen: readonly Observation[], eligible: readonly number[]) => {
    const dimension = policy.contextual ? CONTEXT.length : 0;
    const known = policy.contextual ? seen : seen.map(({ context: _, ...rest }) => rest);
    const context = Float64Array.from(policy.contextual ? CONTEXT : []);
    return served(policy, learned(5, dimension, known)).probabilities(context, eligible);
  };

  it('deals arms that tie for the best alike', () => {
    const probabilities = deal(SEEN, [0, 1, 2, 3, 4]);
    for (const arm of BEST) expect(probabilities[arm]).toBeCloseTo(probabilities[1]!, 13);
    if (!GREEDY.includes(policy.kind)) return;
    // What is explored is spread evenly, the rest is for the best alone.
    for (const arm of BEST) expect(probabilities[arm]).toBeCloseTo((1 - 2 * probabilities[0]!) / 3, 13);
    expect(probabilities[0]).toBe(probabilities[2]);
  });

  it('deals them alike among the eligible arms too', () => {
    const probabilities = deal(SEEN, [0, 1, 4]);
    expect(probabilities[2]).toBeCloseTo(probabilities[1]!, 13);
  });

  it('deals arms that nothing is known of alike', () => {
    for (const p of deal([], [0, 1, 2, 3, 4])) expect(p).toBeCloseTo(0.2, 13);
  });
});

it('the greedy policies are policies', () => {
  expect(policies.map(({ kind }) => kind)).toEqual(expect.arrayContaining(GREEDY));
});
