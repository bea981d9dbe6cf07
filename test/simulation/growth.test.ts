/** The growth case as published: policies that read the context beat those that do not, by more than chance. */
import { beforeAll, expect, test } from 'vitest';
import type { Band } from '../../services/simulator/band.ts';
import { type Comparison, compare } from '../../services/simulator/comparison.ts';
import { simulateAll } from '../../services/simulator/pool.ts';
import { runsOf } from '../../services/simulator/setting.ts';

/** linucb's alpha is in units of the reward's range, of which the noise of one value is less than a tenth. */
const CONTEXTUAL = ['linucb:alpha=.25', 'linear-ts'];
const OTHERS = ['random', 'always-first', 'epsilon-greedy:epsilon=.3', 'ucb1', 'beta-ts'];
const SETTING = {
  environments: ['growth-published'],
  policies: [...CONTEXTUAL, ...OTHERS],
  seeds: Array.from({ length: 8 }, (_, seed) => seed),
  users: 2_000,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 10,
};

let comparison: Comparison;

beforeAll(async () => {
  [comparison] = compare(SETTING, await simulateAll(runsOf(SETTING), () => {})) as [Comparison];
}, 300_000);

function meanOf(policy: string): Band {
  return comparison.policies.find((result) => result.policy === policy)!.figures.mean!;
}

test.each(CONTEXTUAL.flatMap((one) => OTHERS.map((other) => [one, other])))('%s earns more than %s', (one, other) => {
  expect(meanOf(one).low).toBeGreaterThan(meanOf(other).high!);
});

test('nobody earns more than an oracle', () => {
  for (const { figures } of comparison.policies) expect(figures.regret!.low).toBeGreaterThan(0);
});
