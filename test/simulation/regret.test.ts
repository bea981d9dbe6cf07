/** How regret grows on arms that stay what they are: like ln T for those that learn, like T for those that do not. */
import { beforeAll, expect, test } from 'vitest';
import { bandOf } from '../../services/simulator/band.ts';
import { simulateAll } from '../../services/simulator/pool.ts';
import { runsOf } from '../../services/simulator/setting.ts';
import { checkpoints, type RunSummary } from '../../services/simulator/summary.ts';

const MEANS = [0.3, 0.4, 0.5, 0.6, 0.7];
const GAPS = MEANS.slice(0, -1).map((mean) => MEANS.at(-1)! - mean);
const USERS = 4_000;
const POLICIES = ['ucb1', 'beta-ts', 'random'] as const;
const SETTING = {
  environments: ['bernoulli'],
  policies: POLICIES,
  seeds: Array.from({ length: 50 }, (_, seed) => seed),
  users: USERS,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 10,
  pendingExposure: true,
};

let summaries: readonly RunSummary[];

beforeAll(async () => {
  summaries = await simulateAll(runsOf(SETTING), () => {});
}, 300_000);

/** @returns a band over seeds of the rise of regret over the steps, per unit of ln T. */
function slope(policy: (typeof POLICIES)[number], from: number, to: number) {
  const points = checkpoints(USERS);
  const start = POLICIES.indexOf(policy) * SETTING.seeds.length;
  const slopes = summaries.slice(start, start + SETTING.seeds.length).map(({ curves: { cumulativeRegret } }) => {
    const rise = cumulativeRegret[points.indexOf(to)]! - cumulativeRegret[points.indexOf(from)]!;
    return rise / Math.log(to / from);
  });
  return bandOf(slopes);
}

/** Lai & Robbins 1985: no policy that is consistent has a smaller slope in the long run. */
function laiRobbins(): number {
  const best = MEANS.at(-1)!;
  const divergence = (p: number) => p * Math.log(p / best) + (1 - p) * Math.log((1 - p) / (1 - best));
  return MEANS.slice(0, -1).reduce((sum, mean) => sum + (best - mean) / divergence(mean), 0);
}

test('Thompson sampling: the slope against ln T is near the least that there can be', () => {
  const { low, high } = slope('beta-ts', 1_000, 4_000);
  expect(low).toBeGreaterThan(laiRobbins() / 3);
  expect(high).toBeLessThan(laiRobbins() * 2);
});

test('UCB1: the slope against ln T is below 8 Σ 1/Δ (Auer et al. 2002) and above the least', () => {
  const { low, high } = slope('ucb1', 1_000, 4_000);
  expect(low).toBeGreaterThan(laiRobbins());
  expect(high).toBeLessThan(8 * GAPS.reduce((sum, gap) => sum + 1 / gap, 0));
});

test.each(['beta-ts', 'ucb1'] as const)('%s: four times the steps do not double the slope', (policy) => {
  expect(slope(policy, 1_000, 4_000).high).toBeLessThan(2 * slope(policy, 240, 1_000).mean);
});

test('random: regret is linear, so the slope against ln T grows with T itself', () => {
  const mean = GAPS.reduce((sum, gap) => sum + gap) / MEANS.length;
  const late = slope('random', 1_000, 4_000);
  expect(late.low! * Math.log(4)).toBeLessThan(mean * 3_000);
  expect(late.high! * Math.log(4)).toBeGreaterThan(mean * 3_000);
  expect(late.low).toBeGreaterThan(3 * slope('random', 240, 1_000).high!);
});
