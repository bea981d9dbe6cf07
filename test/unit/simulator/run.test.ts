import { expect, test } from 'vitest';
import { unitDraw } from '../../../services/core/deciding/decide.ts';
import type { ExperimentId, UnitId } from '../../../services/core/events.ts';
import { unaccounted } from '../../../services/core/learning/counts.ts';
import { REWARD_UNITS } from '../../../services/core/quantize.ts';
import { seededRandom } from '../../../services/core/random.ts';
import { BALANCED_COUPONS, GrowthCase } from '../../../services/simulator/growth.ts';
import { type Run, type RunOptions, simulate } from '../../../services/simulator/run.ts';

const OPTIONS: RunOptions = {
  environment: 'growth-balanced',
  policy: 'ucb1',
  seed: 12,
  users: 400,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 1,
  pendingExposure: true,
};

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

interface DirectOptions extends Pick<RunOptions, 'seed' | 'users' | 'snapshotEvery' | 'pendingExposure'> {
  readonly meanDelay: number;
}

/**
 * UCB1 on the growth case, written down without any of the learner: plain sums, plain arrays. With pending exposures a
 * bound is as wide as all decisions of its arm make it, whether or not their rewards have come.
 */
function ucb1Directly({ seed, users, snapshotEvery, meanDelay, pendingExposure }: DirectOptions): number[] {
  const world = new GrowthCase(BALANCED_COUPONS);
  const [userRandom, noise, delays] = [1, 2, 3].map((stream) => seededRandom(seed + stream * 2 ** 32));
  const { min, max } = world.rewardRange;
  const n = [0, 0, 0, 0, 0];
  const sums = [0, 0, 0, 0, 0];
  const dealt: number[] = [];
  const arrivals: { at: number; arm: number; reward: number }[] = [];
  let known = { n: [...n], sums: [...sums] };
  let version = 1;
  for (let step = 0; step < users; step++) {
    const unit = world.nextUnit(userRandom!);
    if (step % snapshotEvery === 0) {
      known = { n: [...n], sums: [...sums] };
      version = step + 1;
    }
    const total = known.n.reduce((a, b) => a + b);
    const bounds = known.n.map((count, arm) => {
      const exposures = pendingExposure ? dealt.filter((each) => each === arm).length : count;
      if (exposures === 0) return Number.POSITIVE_INFINITY;
      const mean = count === 0 ? 0 : known.sums[arm]! / count;
      return mean + Math.sqrt((2 * Math.log(Math.max(total, 1))) / exposures);
    });
    const best = [0, 1, 2, 3, 4].filter((arm) => bounds[arm] === Math.max(...bounds));
    const draw = unitDraw({
      experimentId: `simulation-${seed}` as ExperimentId,
      snapshotVersion: version,
      kind: 'ucb1',
      unitId: unit.unitId as UnitId,
      slot: 0,
    });
    const arm = best[Math.floor(draw * best.length)]!;
    dealt.push(arm);
    const scaled = (world.observe(unit, arm, noise!) - world.costs[arm]! - min) / (max - min);
    const reward = Math.round(Math.min(1, Math.max(0, scaled)) * REWARD_UNITS) / REWARD_UNITS;
    const wait = meanDelay === 0 ? 0 : Math.floor(-meanDelay * Math.log(1 - delays!.next()));
    arrivals.push({ at: step + wait, arm, reward });
    for (const arrival of arrivals.filter(({ at }) => at === step)) {
      n[arrival.arm]! += 1;
      sums[arrival.arm]! += arrival.reward;
    }
  }
  return dealt;
}

test.each([
  ['none', 0, 1, true],
  ['none', 0, 50, false],
  ['none', 0, 50, true],
  ['exponential:60', 60, 1, false],
  ['exponential:60', 60, 1, true],
  ['exponential:60', 60, 7, true],
])(
  'a run deals what a direct computation deals (delay %s, mean %i, a snapshot every %i, pending exposure %s)',
  (delay, meanDelay, snapshotEvery, pendingExposure) => {
    const run = simulate({ ...OPTIONS, delay, snapshotEvery, pendingExposure });
    const directly = ucb1Directly({ ...OPTIONS, snapshotEvery, meanDelay, pendingExposure });
    expect([...run.dealt]).toEqual(directly);
  },
);

test('the same options give the same run, another seed another one', () => {
  const options = { ...OPTIONS, policy: 'linucb', delay: 'log-normal:20:1', neverShare: 0.1 };
  expect(simulate(options)).toEqual(simulate(options));
  expect([...simulate({ ...options, seed: 13 }).dealt]).not.toEqual([...simulate(options).dealt]);
});

test('all policies of a seed meet the same users', () => {
  const one = simulate({ ...OPTIONS, policy: 'random' });
  const other = simulate({ ...OPTIONS, policy: 'beta-ts', snapshotEvery: 20 });
  expect(other.segments).toEqual(one.segments);
  expect(other.expectedBest).toEqual(one.expectedBest);
});

test('regret is what the best arm was expected to bring more than the dealt one, never below 0', () => {
  const run = simulate({ ...OPTIONS, policy: 'always-first' });
  expect(run.dealt.every((arm) => arm === 0)).toBe(true);
  expect(run.expected).toEqual(run.expectedFirst);
  // Noise of 21 a reward.
  expect(Math.abs(mean(run.observed) - mean(run.expected))).toBeLessThan((4 * 21) / Math.sqrt(OPTIONS.users));
  expect(mean(run.expected)).toBeCloseTo(85, 1);
  expect(run.expectedBest.every((best, step) => best >= run.expected[step]!)).toBe(true);
});

test('regret against the best fixed arm may be below 0 at a step, and is of one arm throughout', () => {
  const run = simulate({ ...OPTIONS, environment: 'adversarial', policy: 'random', users: 1_500 });
  // Phases of 100, 200, 400 and 800 steps: the fourth is the first arm's again.
  expect(new Set(run.best)).toEqual(new Set([0]));
  expect(run.expectedBest.reduce((sum, reward) => sum + reward)).toBe(900);
});

function books(run: Run): number[] {
  return [unaccounted(run.counts, 'decisions'), unaccounted(run.counts, 'rewards')];
}

test('without delay every decision has its reward', () => {
  const { counts } = simulate(OPTIONS);
  expect(counts).toMatchObject({ decisionsIn: 400, decisionsJoined: 400, rewardsIn: 400, rewardsJoined: 400 });
});

test('rewards that are on their way when the run ends are pending, and the books balance', () => {
  const users = 4_000;
  const run = simulate({ ...OPTIONS, policy: 'random', users, delay: 'exponential:500' });
  const { decisionsJoined, decisionsPending } = run.counts;
  expect(decisionsJoined + decisionsPending).toBe(users);
  // ∫ e^(−t/500) dt over the run: 500 (1 − e^−8), with the deviation of as many coins.
  expect(Math.abs(decisionsPending - 500)).toBeLessThan(4 * Math.sqrt(500));
  expect(books(run)).toEqual([0, 0]);
});

test('a share of the rewards never arrives', () => {
  const users = 4_000;
  const { counts } = simulate({ ...OPTIONS, policy: 'random', users, neverShare: 0.25 });
  expect(Math.abs(counts.decisionsPending - users / 4)).toBeLessThan(4 * Math.sqrt(users * 0.25 * 0.75));
});

test('a proxy counts at once and its revisions replace it, so one decision stays one reward', () => {
  const run = simulate({ ...OPTIONS, policy: 'random', users: 400, delay: 'ltv-curve:1' });
  expect(run.counts.decisionsJoined).toBe(399);
  // All five reports of a decision stand as one reward and four other revisions of it.
  expect(run.counts.rewardsIn).toBe(399 + 397 + 393 + 386 + 370);
  expect(run.counts.rewardsJoined).toBe(399);
  expect(books(run)).toEqual([0, 0]);
});

test('arms that come are dealt from then on, arms that go no more', () => {
  const run = simulate({
    ...OPTIONS,
    environment: 'changing-pool',
    policy: 'beta-ts',
    users: 3_000,
    snapshotEvery: 50,
  });
  expect(run.armIds.length).toBeGreaterThan(15);
  expect(run.dealt.some((arm) => arm >= 10)).toBe(true);
  expect(run.expectedBest.every((best, step) => best >= run.expected[step]!)).toBe(true);
  expect(mean(run.expected)).toBeGreaterThan(0.55);
});

test('a learner that sees its rewards earns more than dealing at random', () => {
  const earned = (policy: string) => mean(simulate({ ...OPTIONS, policy, users: 1_500, snapshotEvery: 10 }).expected);
  expect(earned('linucb')).toBeGreaterThan(earned('random') + 15);
});

test.each([
  [{ environment: 'nowhere' }, /environment nowhere/],
  [{ policy: 'guess' }, /policy guess/],
  [{ delay: 'later' }, /delay later/],
])('wrong options are refused: %o', (wrong, message) => {
  expect(() => simulate({ ...OPTIONS, ...wrong })).toThrow(message);
});
