/**
 * The cold start of 4,000 albums, two slots a visitor, new albums daily: Thompson sampling with the prior of the catalogue
 * finds what is wanted. `npm run croupier -- simulate --env albums` with more seeds gives bands (ARCHITECTURE.md).
 */
import { expect, test } from 'vitest';
import { type Comparison, compare } from '../../services/simulator/comparison.ts';
import { simulateAll } from '../../services/simulator/pool.ts';
import { runsOf } from '../../services/simulator/setting.ts';

const SAMPLING = 'beta-ts:priorAlpha=2:priorBeta=38';
const SETTING = {
  environments: ['albums'],
  policies: [SAMPLING, 'epsilon-greedy', 'random'],
  seeds: [0, 1],
  users: 16_000,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 500,
  pendingExposure: true,
};

test('in every catalogue, Thompson sampling earns more than ε-greedy, and that more than chance', async () => {
  const [comparison] = compare(SETTING, await simulateAll(runsOf(SETTING), () => {})) as [Comparison];
  const meansOf = (policy: string) => comparison.policies.find((result) => result.policy === policy)!.meanBySeed;
  const [sampling, greedy, random] = SETTING.policies.map(meansOf) as [number[], number[], number[]];
  for (const seed of SETTING.seeds.keys()) {
    expect(sampling[seed]).toBeGreaterThan(1.1 * greedy[seed]!);
    expect(greedy[seed]).toBeGreaterThan(1.2 * random[seed]!);
  }
  expect(comparison.oracle.low).toBeGreaterThan(Math.max(...sampling));
}, 900_000);
