/**
 * The growth case, with few seeds (`npm run bench -- growth` has the figures of twenty). As published, policies that read the
 * context beat those that do not, by more than chance. Balanced, LinUCB's defaults earn what the best policies of other
 * libraries do.
 */
import { beforeAll, expect, test } from 'vitest';
import type { Band } from '../../services/simulator/band.ts';
import { type Comparison, compare } from '../../services/simulator/comparison.ts';
import { simulateAll } from '../../services/simulator/pool.ts';
import { runsOf } from '../../services/simulator/setting.ts';

const CONTEXTUAL = ['linucb', 'linear-ts'];
const OTHERS = ['random', 'always-first', 'epsilon-greedy:epsilon=.3', 'ucb1', 'beta-ts'];
const SETTING = {
  environments: ['growth-published'],
  policies: [...CONTEXTUAL, ...OTHERS],
  seeds: Array.from({ length: 8 }, (_, seed) => seed),
  users: 2_000,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 10,
  pendingExposure: true,
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

/** No less than the best of 22 policies of other libraries earned, several of them with parameters tuned for it. */
test.each([
  ['rewards at once', { delay: 'none', snapshotEvery: 1 }, 111.2],
  ['rewards 500 users late', { delay: 'exponential:500', snapshotEvery: 1 }, 110.3],
  ['a snapshot every 200 users', { delay: 'none', snapshotEvery: 200 }, 110.6],
])(
  'balanced, with %s, linucb earns what the best policies earn, as far as 6 seeds can tell',
  async (_, late, best) => {
    const setting = { ...SETTING, ...late, environments: ['growth-balanced'], policies: ['linucb'], users: 5_000 };
    const seeds = SETTING.seeds.slice(0, 6);
    const [balanced] = compare({ ...setting, seeds }, await simulateAll(runsOf({ ...setting, seeds }), () => {}));
    expect(balanced!.policies[0]!.figures.mean!.high).toBeGreaterThan(best);
  },
  300_000,
);
