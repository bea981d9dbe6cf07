/** The growth case's known truths, by enumerating all 48 kinds of users with their probabilities. */
import { expect, test } from 'vitest';
import type { ContextValue } from '../../../services/core/context.ts';
import { seededRandom } from '../../../services/core/random.ts';
import {
  ATTRIBUTE_SHARES,
  BALANCED_COUPONS,
  GrowthCase,
  PUBLISHED_COUPONS,
  REGION_SHARES,
} from '../../../services/simulator/growth.ts';

interface Kind {
  readonly context: ReadonlyMap<string, ContextValue>;
  readonly probability: number;
}

function kinds(): Kind[] {
  let kinds: Kind[] = [{ context: new Map(), probability: 1 }];
  for (const [name, share] of ATTRIBUTE_SHARES) {
    kinds = kinds.flatMap(({ context, probability }) => [
      { context: new Map([...context, [name, true]]), probability: probability * share },
      { context: new Map([...context, [name, false]]), probability: probability * (1 - share) },
    ]);
  }
  return kinds.flatMap(({ context, probability }) =>
    REGION_SHARES.map(([region, share]) => ({
      context: new Map([...context, ['region', region]]),
      probability: probability * share,
    })),
  );
}

/** Means over users, after costs. */
function truths(world: GrowthCase, costs: readonly number[] = [0, 0, 0, 0, 0]) {
  const arms = world.armIds.map(() => 0);
  const bestShares = world.armIds.map(() => 0);
  let oracle = 0;
  for (const { context, probability } of kinds()) {
    const rewards = world.expectedRewards({ unitId: 'anyone', context }).map((reward, arm) => reward + costs[arm]!);
    const best = Math.max(...rewards);
    oracle += probability * best;
    bestShares[rewards.indexOf(best)]! += probability;
    for (const [arm, reward] of rewards.entries()) arms[arm]! += probability * reward;
  }
  return { oracle, arms, bestShares, random: arms.reduce((sum, reward) => sum + reward) / arms.length };
}

test('as published, A2 is best for everybody before costs and for 82.5 % after them', () => {
  const world = new GrowthCase(PUBLISHED_COUPONS);
  expect(truths(world, world.costs).bestShares).toEqual([0, expect.closeTo(1, 12), 0, 0, 0]);
  const { oracle, arms, bestShares } = truths(world);
  expect(oracle).toBeCloseTo(139.45, 2);
  expect(arms[1]).toBeCloseTo(136.82, 2);
  expect(bestShares[1]).toBeCloseTo(0.825, 10);
});

test('balanced, each of A2 to A5 is best for some and the best single arm earns 15 less than an oracle', () => {
  const { oracle, arms, bestShares, random } = truths(new GrowthCase(BALANCED_COUPONS));
  expect(oracle).toBeCloseTo(111.8, 1);
  expect(Math.max(...arms)).toBeCloseTo(96.4, 1);
  expect(random).toBeCloseTo(85.4, 1);
  expect(bestShares.map((share) => Math.round(1000 * share) / 10)).toEqual([0, 13.5, 24.6, 22.5, 39.3]);
});

test('what is observed has the expected mean, with values cut to their range', () => {
  const world = new GrowthCase(PUBLISHED_COUPONS);
  const random = seededRandom(7);
  // A2 for a user of high value is cut at 250 most often of all.
  const unit = { unitId: 'anyone', context: new Map<string, ContextValue>([['is_high_value', true]]) };
  const count = 200_000;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += world.observe(unit, 1, random) - world.costs[1]!;
  const standardError = 21 / Math.sqrt(count);
  expect(Math.abs(sum / count - world.expectedRewards(unit)[1]!)).toBeLessThan(4 * standardError);
  expect(world.expectedRewards(unit)[1]).toBeLessThan(220 - 55 - 0.3);
});

test('users have the attributes that are declared, in their shares', () => {
  const world = new GrowthCase(BALANCED_COUPONS);
  const random = seededRandom(8);
  const count = 20_000;
  const seen = new Map<string, number>();
  expect([...world.nextUnit(random).context.keys()]).toEqual(world.features.map(({ name }) => name));
  for (let i = 0; i < count; i++) {
    const { context } = world.nextUnit(random);
    for (const [name, value] of context) seen.set(`${name}=${value}`, (seen.get(`${name}=${value}`) ?? 0) + 1);
  }
  const shares = [...ATTRIBUTE_SHARES.map(([name, share]) => [`${name}=true`, share] as const)];
  for (const [name, share] of [
    ...shares,
    ...REGION_SHARES.map(([name, share]) => [`region=${name}`, share] as const),
  ]) {
    expect(Math.abs(seen.get(name)! / count - share), name).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / count));
  }
});
