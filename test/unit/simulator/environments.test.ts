import { expect, test } from 'vitest';
import { seededRandom } from '../../../services/core/random.ts';
import { betaOfOrder } from '../../../services/simulator/beta.ts';
import type { Environment } from '../../../services/simulator/environment.ts';
import { Adversary } from '../../../services/simulator/environments/adversary.ts';
import { Albums } from '../../../services/simulator/environments/albums.ts';
import { Arms, MEAN_MAX, MEAN_MIN } from '../../../services/simulator/environments/arms.ts';
import { ENVIRONMENTS, findEnvironment } from '../../../services/simulator/environments/catalogue.ts';
import { ChangingPool } from '../../../services/simulator/environments/changing-pool.ts';
import { Page } from '../../../services/simulator/environments/page.ts';

function activeArms({ armIds, retired }: Environment): number[] {
  return armIds.map((_, arm) => arm).filter((arm) => !retired.has(arm));
}

/** @returns mean and variance of what an arm pays to the unit that asked last. */
function observed(world: Environment, arm: number, count: number): { mean: number; variance: number } {
  const random = seededRandom(11);
  const unit = world.nextUnit(random);
  const values = Array.from({ length: count }, () => world.observe(unit, arm, random));
  const mean = values.reduce((sum, value) => sum + value) / count;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count };
}

test.each(ENVIRONMENTS.map(({ name }) => name))('%s pays what it says it is expected to', (name) => {
  const random = seededRandom(5);
  const world = findEnvironment(name).create(random);
  for (let step = 0; step < 20; step++) {
    const unit = world.nextUnit(random);
    const expected = world.expectedRewards(unit);
    expect(expected).toHaveLength(world.armIds.length);
    const [arm] = activeArms(world);
    const count = 2_000;
    const values = Array.from({ length: count }, () => world.observe(unit, arm!, random) - world.costs[arm!]!);
    const mean = values.reduce((sum, value) => sum + value) / count;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count);
    expect(Math.abs(mean - expected[arm!]!)).toBeLessThanOrEqual((5 * deviation) / Math.sqrt(count) + 1e-9);
    const { min, max } = world.rewardRange;
    expect(values.filter((value) => value < min || value > max).length).toBeLessThan(count / 100);
  }
});

test.each(ENVIRONMENTS.map(({ name }) => name))('%s is the same world again with the same seed', (name) => {
  const tell = (seed: number) => {
    const random = seededRandom(seed);
    const world = findEnvironment(name).create(random);
    const units = Array.from({ length: 30 }, () => world.nextUnit(random));
    return [units, world.expectedRewards(units.at(-1)!), world.observe(units.at(-1)!, activeArms(world)[0]!, random)];
  };
  expect(tell(3)).toEqual(tell(3));
});

test('Gaussian arms have the declared noise, Bernoulli arms pay 0 or 1', () => {
  const still = { kind: 'none' } as const;
  const gaussian = new Arms({ means: [0.4], rewards: { kind: 'gaussian', deviation: 0.2 }, drift: still });
  expect(Math.sqrt(observed(gaussian, 0, 50_000).variance)).toBeCloseTo(0.2, 2);
  const bernoulli = new Arms({ means: [0.3], rewards: { kind: 'bernoulli' }, drift: still });
  const { mean, variance } = observed(bernoulli, 0, 50_000);
  expect(variance).toBeCloseTo(mean * (1 - mean), 10);
});

test('switches hand each mean on to the next arm, at their step and not before', () => {
  const drift = { kind: 'switches', everySteps: 3 } as const;
  const world = new Arms({ means: [0.1, 0.2, 0.3], rewards: { kind: 'bernoulli' }, drift });
  const seen = Array.from({ length: 7 }, () => {
    world.nextUnit(seededRandom(1));
    return [...world.expectedRewards()];
  });
  expect(seen[2]).toEqual([0.1, 0.2, 0.3]);
  expect(seen[3]).toEqual([0.3, 0.1, 0.2]);
  expect(seen[5]).toEqual([0.3, 0.1, 0.2]);
  expect(seen[6]).toEqual([0.2, 0.3, 0.1]);
});

test('a random walk takes steps of the declared size and stays within bounds', () => {
  const drift = { kind: 'walk', deviation: 0.01 } as const;
  const world = new Arms({ means: [0.06, 0.5, 0.94], rewards: { kind: 'bernoulli' }, drift });
  const random = seededRandom(2);
  const seen = Array.from({ length: 20_000 }, () => {
    world.nextUnit(random);
    return world.expectedRewards();
  });
  expect(seen.flat().reduce((a, b) => Math.min(a, b))).toBeGreaterThanOrEqual(MEAN_MIN);
  expect(seen.flat().reduce((a, b) => Math.max(a, b))).toBeLessThanOrEqual(MEAN_MAX);
  const squares = seen.slice(1).map((means, at) => (means[1]! - seen[at]![1]!) ** 2);
  expect(Math.sqrt(squares.reduce((sum, square) => sum + square) / squares.length)).toBeCloseTo(0.01, 3);
});

test('order statistics are Beta: mean and variance of Beta(4, 4)', () => {
  const random = seededRandom(4);
  const draws = Array.from({ length: 20_000 }, () => betaOfOrder({ alpha: 4, beta: 4 }, random));
  const mean = draws.reduce((sum, x) => sum + x) / draws.length;
  expect(mean).toBeCloseTo(0.5, 2);
  expect(draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length).toBeCloseTo(1 / 36, 3);
});

test('the changing pool always has ten items and retires one in a thousand a step', () => {
  const random = seededRandom(6);
  const world = new ChangingPool(random);
  const steps = 20_000;
  let strange = 0;
  for (let step = 0; step < steps; step++) {
    const before = world.armsRevision;
    const arms = world.armIds.length;
    world.nextUnit(random);
    const isTold = world.armsRevision > before === world.armIds.length > arms;
    if (!isTold || world.armIds.length - world.retired.size !== 10) strange += 1;
  }
  expect(strange).toBe(0);
  const expected = 10 * 0.001 * steps;
  expect(Math.abs(world.retired.size - expected)).toBeLessThan(4 * Math.sqrt(expected));
});

test('the best item of the pool is worth what the best of ten from Beta(4, 4) is, one at random a half, at any time', () => {
  // ∫ 1 − F¹⁰ with F the distribution function of Beta(4, 4).
  const cumulative = (x: number) => 35 * x ** 4 - 84 * x ** 5 + 70 * x ** 6 - 20 * x ** 7;
  const parts = Array.from({ length: 1_000 }, (_, i) => 1 - cumulative((i + 0.5) / 1_000) ** 10);
  const oracle = parts.reduce((sum, part) => sum + part) / parts.length;
  expect(oracle).toBeCloseTo(0.752, 3);
  const worlds = 400;
  for (const steps of [1, 1_000]) {
    const pools = Array.from({ length: worlds }, (_, seed) => {
      const random = seededRandom(seed);
      const world = new ChangingPool(random);
      for (let step = 0; step < steps; step++) world.nextUnit(random);
      return activeArms(world).map((arm) => world.expectedRewards()[arm]!);
    });
    // A rate deviates by 1/6, the best of ten by less.
    const best = pools.map((rates) => Math.max(...rates)).reduce((sum, rate) => sum + rate) / worlds;
    expect(Math.abs(best - oracle)).toBeLessThan(4 / 6 / Math.sqrt(worlds));
    const mean = pools.flat().reduce((sum, rate) => sum + rate) / (10 * worlds);
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 / 6 / Math.sqrt(10 * worlds));
  }
});

test('an album is played by 5 % on average, and one in a thousand by more than 21 %', () => {
  const options = { albums: 4_000, newADay: 40, stepsADay: 1_000, slots: 1 };
  const rates = Array.from({ length: 40 }, (_, seed) =>
    new Albums(options, seededRandom(seed)).expectedRewards(),
  ).flat();
  expect(rates.reduce((sum, rate) => sum + rate) / rates.length).toBeCloseTo(0.05, 3);
  expect(rates.filter((rate) => rate > 0.213).length / rates.length).toBeCloseTo(0.001, 3);
});

test('every day the oldest albums make room for as many new ones', () => {
  const random = seededRandom(6);
  const world = new Albums({ albums: 100, newADay: 5, stepsADay: 10, slots: 1 }, random);
  for (let step = 0; step < 31; step++) world.nextUnit(random);
  expect(world.armIds).toHaveLength(115);
  expect(activeArms(world)).toHaveLength(100);
  expect(activeArms(world)[0]).toBe(15);
  expect(world.armsRevision).toBe(4);
});

test('the page has 27 layouts, and which is best depends on who comes', () => {
  const worlds = Array.from({ length: 10 }, (_, seed) => new Page(seededRandom(seed)));
  for (const world of worlds) expect(new Set(world.armIds).size).toBe(27);
  const bestOf = (world: Page, country: string, isReturning: boolean) => {
    const context = new Map<string, boolean | string>([
      ['country', country],
      ['is_returning', isReturning],
    ]);
    const rates = world.expectedRewards({ unitId: 'anyone', context });
    return rates.indexOf(Math.max(...rates));
  };
  const byCountry = worlds.filter((world) => bestOf(world, 'BR', false) !== bestOf(world, 'US', false));
  const byReturning = worlds.filter((world) => bestOf(world, 'BR', false) !== bestOf(world, 'BR', true));
  expect(byCountry.length).toBeGreaterThan(3);
  expect(byReturning.length).toBeGreaterThan(3);
});

test('a layout at random sells to about 10 % of visitors, the best one for each visitor to about 30 %', () => {
  const kinds = (['BR', 'DE', 'US'] as const).flatMap((country) =>
    [true, false].map((isReturning) => {
      const context = new Map<string, boolean | string>(Object.entries({ country, is_returning: isReturning }));
      const share = { BR: 0.3, DE: 0.2, US: 0.5 }[country] * (isReturning ? 0.4 : 0.6);
      return { unit: { unitId: 'anyone', context }, share };
    }),
  );
  const worlds = Array.from({ length: 300 }, (_, seed) => new Page(seededRandom(seed)));
  const mean = (of: (rates: readonly number[]) => number) =>
    worlds
      .flatMap((world) => kinds.map(({ unit, share }) => share * of(world.expectedRewards(unit))))
      .reduce((sum, part) => sum + part) / worlds.length;
  expect(Math.abs(mean((rates) => rates.reduce((sum, rate) => sum + rate) / rates.length) - 0.1)).toBeLessThan(0.01);
  expect(Math.abs(mean((rates) => Math.max(...rates)) - 0.3)).toBeLessThan(0.01);
});

test('the adversary makes another arm the good one for twice as long each time', () => {
  const world = new Adversary({ arms: 3, firstPhaseSteps: 2 });
  const good = Array.from({ length: 14 + 16 }, () => {
    world.nextUnit();
    return world.expectedRewards().indexOf(1);
  });
  expect(good).toEqual([...Array(2).fill(0), ...Array(4).fill(1), ...Array(8).fill(2), ...Array(16).fill(0)]);
});

test('an unknown environment is refused with the names that there are', () => {
  expect(() => findEnvironment('grow')).toThrow(
    /environment grow is unknown, allowed are growth-balanced, .*adversarial/,
  );
});
