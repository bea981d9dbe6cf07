/** Deterministic policies between far-apart snapshots, with and without counting what was dealt since. */
import { expect, test } from 'vitest';
import type { Band } from '../../services/simulator/band.ts';
import { compare } from '../../services/simulator/comparison.ts';
import { simulateAll } from '../../services/simulator/pool.ts';
import { runsOf, type Setting } from '../../services/simulator/setting.ts';

const POOL: Setting = {
  environments: ['changing-pool'],
  policies: ['ucb1', 'ucb1-tuned'],
  seeds: [0, 1, 2, 3],
  users: 20_000,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 1_000,
  pendingExposure: true,
};
const GROWTH: Setting = {
  ...POOL,
  environments: ['growth-balanced'],
  policies: ['linucb-hybrid', 'pucb'],
  users: 2_000,
  snapshotEvery: 200,
};

/** By policy. */
async function regretOf(setting: Setting): Promise<Band[]> {
  const [comparison] = compare(setting, await simulateAll(runsOf(setting), () => {}));
  return comparison!.policies.map(({ figures }) => figures.regret!);
}

test.each([
  ['a changing pool with feedback in blocks of 1,000', POOL],
  ['the growth case with a snapshot every 200 users', GROWTH],
])(
  'exposures that are counted save regret: %s',
  async (_, setting) => {
    const counting = await regretOf(setting);
    const blind = await regretOf({ ...setting, pendingExposure: false });
    counting.forEach((band, policy) => {
      expect(band.high, setting.policies[policy]).toBeLessThan(blind[policy]!.low!);
    });
  },
  300_000,
);

test('with a snapshot before each decision and rewards at once there is nothing to count', async () => {
  const setting = { ...POOL, users: 200, snapshotEvery: 1 };
  expect(await regretOf(setting)).toEqual(await regretOf({ ...setting, pendingExposure: false }));
}, 60_000);
