/**
 * The cold start of 4,000 albums, two slots a visitor, new albums daily: Thompson sampling with the prior of the catalogue
 * finds albums that are wanted. Figures over more seeds are in ARCHITECTURE.md.
 */
import { expect, test } from 'vitest';
import { type Comparison, compare } from '../../services/simulator/comparison.ts';
import { simulateAll } from '../../services/simulator/pool.ts';
import { runsOf } from '../../services/simulator/setting.ts';

const SETTING = {
  environments: ['albums'],
  policies: ['beta-ts:priorAlpha=2:priorBeta=38', 'random'],
  seeds: [0, 1],
  users: 16_000,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 500,
  pendingExposure: true,
};

test('in every catalogue, Thompson sampling earns more than chance', async () => {
  const [comparison] = compare(SETTING, await simulateAll(runsOf(SETTING), () => {})) as [Comparison];
  const [sampling, random] = comparison.policies.map(({ meanBySeed }) => meanBySeed);
  for (const seed of SETTING.seeds.keys()) expect(sampling![seed]).toBeGreaterThan(1.2 * random![seed]!);
}, 900_000);
