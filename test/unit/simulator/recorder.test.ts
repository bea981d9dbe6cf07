import { expect, test } from 'vitest';
import { seededRandom } from '../../../services/core/random.ts';
import { Albums } from '../../../services/simulator/environments/albums.ts';
import { Recorder } from '../../../services/simulator/recorder.ts';

test('the best arm of a step is the best of those that can be dealt then', () => {
  const random = seededRandom(1);
  const world = new Albums({ albums: 6, newADay: 2, stepsADay: 1, slots: 1 }, random);
  const steps = 30;
  const recorder = new Recorder(world, steps);
  const best: number[] = [];
  for (let step = 0; step < steps; step++) {
    const unit = world.nextUnit(random);
    const rates = world.expectedRewards().slice(2 * step);
    best.push(2 * step + rates.indexOf(Math.max(...rates)));
    recorder.record(unit, [2 * step], [1]);
  }
  expect([...recorder.finish().best]).toEqual(best);
});

test('with several slots, rewards add up and the best of a step are as many arms', () => {
  const random = seededRandom(2);
  const world = new Albums({ albums: 8, newADay: 0, stepsADay: 1_000, slots: 3 }, random);
  const recorder = new Recorder(world, 2);
  for (const arms of [
    [7, 0, 3],
    [1, 2, 4],
  ]) {
    recorder.record(world.nextUnit(random), arms, [1, 0, 1]);
  }
  const rates = world.expectedRewards();
  const byRate = [...rates.keys()].sort((a, b) => rates[b]! - rates[a]!).slice(0, 3);
  const { dealt, best, expected, expectedBest, observed } = recorder.finish();
  expect([...dealt]).toEqual([7, 0, 3, 1, 2, 4]);
  expect([...best]).toEqual([...byRate, ...byRate]);
  expect(expected[0]).toBeCloseTo(rates[7]! + rates[0]! + rates[3]!, 15);
  expect(expectedBest[1]).toBeCloseTo(
    byRate.reduce((sum, arm) => sum + rates[arm]!, 0),
    15,
  );
  expect([...observed]).toEqual([2, 2]);
});

test('a record that lacks steps is a mistake of ours', () => {
  const random = seededRandom(1);
  const world = new Albums({ albums: 6, newADay: 2, stepsADay: 1, slots: 1 }, random);
  expect(() => new Recorder(world, 1).finish()).toThrow('0 of 1 steps were recorded');
});
