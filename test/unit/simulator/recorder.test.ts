import { expect, test } from 'vitest';
import { seededRandom } from '../../../services/core/random.ts';
import { Albums } from '../../../services/simulator/environments/albums.ts';
import { Recorder } from '../../../services/simulator/recorder.ts';

test('the best arm of a step is the best of those that can be dealt then', () => {
  const random = seededRandom(1);
  const world = new Albums({ albums: 6, newADay: 2, stepsADay: 1 }, random);
  const steps = 30;
  const recorder = new Recorder(world, steps);
  const best: number[] = [];
  for (let step = 0; step < steps; step++) {
    const unit = world.nextUnit(random);
    const rates = world.expectedRewards().slice(2 * step);
    best.push(2 * step + rates.indexOf(Math.max(...rates)));
    recorder.record(unit, 2 * step, 1);
  }
  expect([...recorder.finish().best]).toEqual(best);
});

test('a record that lacks steps is a mistake of ours', () => {
  const random = seededRandom(1);
  const world = new Albums({ albums: 6, newADay: 2, stepsADay: 1 }, random);
  expect(() => new Recorder(world, 1).finish()).toThrow('0 of 1 steps were recorded');
});
