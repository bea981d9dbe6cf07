import { expect, it } from 'vitest';
import { parseExpression } from '../../../../services/contracts/expression-text.ts';
import { affineIn } from '../../../../services/core/expressions/affine.ts';

function line(text: string) {
  return affineIn(parseExpression(text), 'metric.ltv', (name) => (name === 'arm.cost' ? 4 : undefined));
}

it.each([
  ['metric.ltv', 1, 0],
  ['metric.ltv - arm.cost', 1, -4],
  ['2 * (metric.ltv + 3) / arm.cost', 0.5, 1.5],
  ['-metric.ltv + 3 * metric.ltv', 2, 0],
  ['max(arm.cost, 5) * metric.ltv', 5, 0],
  ['arm.cost > 3 ? 7 : 8', 0, 7],
])('%s is %d times the metric plus %d', (text, slope, intercept) => {
  expect(line(text)).toEqual({ slope, intercept });
});

it.each([
  'metric.ltv * metric.ltv',
  '1 / metric.ltv',
  'max(metric.ltv, 0)',
  'metric.ltv > 3',
  'metric.ltv + context.age',
  'metric.ltv / 0',
])('%s is no straight line', (text) => {
  expect(line(text)).toBeNull();
});
