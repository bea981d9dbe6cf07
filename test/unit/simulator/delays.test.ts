import { expect, test } from 'vitest';
import { seededRandom } from '../../../services/core/random.ts';
import { parseDelay } from '../../../services/simulator/delays.ts';

function delays(text: string, count: number): number[] {
  const random = seededRandom(1);
  const model = parseDelay(text);
  return Array.from({ length: count }, () => model(1, random)[0]!.delaySteps);
}

test('without delay a reward is there before the next decision', () => {
  expect(parseDelay('none')(12.5, seededRandom(1))).toEqual([{ delaySteps: 0, revision: 0, value: 12.5 }]);
});

test.each([
  ['exponential:500', 500, 500],
  // Deviation of a log-normal of mean m: m √(e^σ² − 1).
  ['log-normal:500:1', 500, 500 * Math.sqrt(Math.E - 1)],
])('%s has the mean and the deviation that it should', (text, mean, deviation) => {
  const count = 100_000;
  const drawn = delays(text, count);
  const average = drawn.reduce((sum, steps) => sum + steps) / count;
  // Whole steps are half a step less on average.
  expect(Math.abs(average + 0.5 - mean)).toBeLessThan((4 * deviation) / Math.sqrt(count));
  expect(drawn.every((steps) => Number.isInteger(steps) && steps >= 0)).toBe(true);
});

test('the median of a log-normal delay is below its mean by e^(σ²/2)', () => {
  const sorted = delays('log-normal:500:1', 20_001).sort((a, b) => a - b);
  expect(sorted[10_000]! / (500 / Math.exp(0.5))).toBeCloseTo(1, 1);
});

test('the LTV curve reports on days 1, 3, 7, 14 and 30, each a revision, the last one the value itself', () => {
  const reports = parseDelay('ltv-curve:100')(180, seededRandom(3));
  expect(reports.map(({ delaySteps }) => delaySteps)).toEqual([100, 300, 700, 1_400, 3_000]);
  expect(reports.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
  expect(reports.at(-1)!.value).toBe(180);
  for (const { value } of reports) expect(Math.abs(value - 180)).toBeLessThan(180);
});

test.each(['soon', 'exponential', 'exponential:-1', 'exponential:x', 'log-normal:5', 'none:1', 'ltv-curve:0'])(
  'delay %s is refused with what is allowed',
  (text) => {
    expect(() => parseDelay(text)).toThrow(/^delay .*, allowed are none, exponential:MEAN, log-normal:MEAN:SIGMA/);
  },
);
