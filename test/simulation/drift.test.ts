/** Arms whose means are passed on after 2,500 steps: whoever forgets earns more from then on than whoever does not. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Band, bandOf } from '../../services/simulator/band.ts';
import { simulateAll } from '../../services/simulator/pool.ts';
import { runsOf } from '../../services/simulator/setting.ts';
import { checkpoints, type RunSummary } from '../../services/simulator/summary.ts';

const PLAIN = ['beta-ts', 'gaussian-ts', 'ucb1-tuned', 'epsilon-greedy'];
const FORGETTING = ['half-life=500', 'window=1000'];
const SWITCH = 2_500;
const USERS = 5_000;
const SETTING = {
  environments: ['bernoulli-switches'],
  policies: PLAIN.flatMap((policy) => [policy, ...FORGETTING.map((forgetting) => `${policy}:${forgetting}`)]),
  seeds: Array.from({ length: 20 }, (_, seed) => seed),
  users: USERS,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 25,
  pendingExposure: true,
};

let summaries: readonly RunSummary[];

beforeAll(async () => {
  summaries = await simulateAll(runsOf(SETTING), () => {});
}, 300_000);

/** Over the seeds, of what was observed. */
function rewardAfterSwitch(policy: string): Band {
  const start = SETTING.policies.indexOf(policy) * SETTING.seeds.length;
  const atSwitch = checkpoints(USERS).indexOf(SWITCH);
  const ofPolicy = summaries.slice(start, start + SETTING.seeds.length);
  return bandOf(
    ofPolicy.map(
      ({ curves: { cumulativeReward } }) => (cumulativeReward.at(-1)! - cumulativeReward[atSwitch]!) / (USERS - SWITCH),
    ),
  );
}

describe('after a switch', () => {
  test.each(PLAIN.flatMap((policy) => FORGETTING.map((forgetting) => [policy, forgetting])))(
    '%s with %s earns more than without',
    (policy, forgetting) => {
      expect(rewardAfterSwitch(`${policy}:${forgetting}`).low).toBeGreaterThan(rewardAfterSwitch(policy).high!);
    },
  );
});
