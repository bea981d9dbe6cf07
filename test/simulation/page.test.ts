/**
 * A page of 27 layouts, for visitors of three countries who are here for the first time or not: learning what variants and
 * their combinations do, and to whom, beats learning each layout by itself, by more than chance.
 */
import { beforeAll, expect, test } from 'vitest';
import type { Band } from '../../services/simulator/band.ts';
import { type Comparison, compare } from '../../services/simulator/comparison.ts';
import { simulateAll } from '../../services/simulator/pool.ts';
import { runsOf } from '../../services/simulator/setting.ts';

const CONTEXT_FREE = ['beta-ts', 'ucb1-tuned', 'epsilon-greedy'];
const SETTING = {
  environments: ['page'],
  policies: ['bayesian-logistic', ...CONTEXT_FREE, 'random'],
  seeds: Array.from({ length: 12 }, (_, seed) => seed),
  users: 10_000,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 100,
  pendingExposure: true,
};

let comparison: Comparison;

beforeAll(async () => {
  [comparison] = compare(SETTING, await simulateAll(runsOf(SETTING), () => {})) as [Comparison];
}, 300_000);

function regretOf(policy: string): Band {
  return comparison.policies.find((result) => result.policy === policy)!.figures.regret!;
}

test.each([...CONTEXT_FREE, 'random'])('regret is below that of %s', (other) => {
  expect(regretOf('bayesian-logistic').high).toBeLessThan(regretOf(other).low!);
});
