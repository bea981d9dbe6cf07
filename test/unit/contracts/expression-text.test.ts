import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseExpression } from '../../../services/contracts/expression-text.ts';
import { Invalid } from '../../../services/core/errors.ts';
import { evaluate, namesOf } from '../../../services/core/expressions/expression.ts';

const VALUES = new Map([
  ['metric.ltv', 120],
  ['metric.ltv-d7', 40],
  ['arm.cost', 35],
  ['context.vip', 1],
]);

function value(text: string): number {
  return evaluate(parseExpression(text), (name) => VALUES.get(name) ?? 0);
}

describe('a formula', () => {
  test.each([
    ['metric.ltv - arm.cost', 85],
    ['metric["ltv-d7"] * 3 - arm.cost', 85],
    ['1 + 2 * 3 - 4 / 2', 5],
    ['(1 + 2) * -3', -9],
    ['10 - 3 - 2', 5],
    ['context.vip ? metric.ltv : 0', 120],
    ['!context.vip ? metric.ltv : 7', 7],
    ['metric.ltv > 100 && arm.cost <= 35', 1],
    ['metric.ltv >= 120 && !(arm.cost < 35)', 1],
    ['metric.ltv < 100 || arm.cost != 35', 0],
    ['2 == 2 && true', 1],
    ['clamp(metric.ltv, 0, 100)', 100],
    ['max(min(metric.ltv, 50), abs(-3))', 50],
    ['1 / 0', Number.POSITIVE_INFINITY],
    ['0 / 0', Number.NaN],
    ['.5e1', 5],
  ])('%s is %d', (text, expected) => {
    expect(value(text)).toBe(expected);
  });

  test('names what it reads once each, in order', () => {
    expect(namesOf(parseExpression('arm.cost + metric.ltv * arm.cost'))).toEqual(['arm.cost', 'metric.ltv']);
  });

  test.each([
    ['metric.ltv.constructor', 'a name is a word'],
    ['metric[arm.cost]', 'a name is a word'],
    ['metric?.ltv', 'a name is a word'],
    ['this', 'allowed is one formula'],
    ['[1, 2]', 'allowed is one formula'],
    ['1; 2', 'allowed is one formula'],
    ['1, 2', 'allowed is one formula'],
    ['', 'allowed is one formula'],
    ['"a" + 1', '"a" is no number'],
    ['null', 'null is no number'],
    ['1e999', 'is no number'],
    ['2 ** 3', 'operator ** is unknown'],
    ['1 % 2', 'operator % is unknown'],
    ['1 === 1', 'operator === is unknown'],
    ['~1', 'operator ~ is unknown'],
    ['exp(1)', 'function exp is unknown, allowed are abs min max clamp'],
    ['toString()', 'function toString is unknown'],
    ['metric.ltv()', 'function metric.ltv is unknown'],
    ['min(1)', 'min has 1 arguments, it takes 2'],
    ['1 +', 'Expected expression'],
    ['metric.ltv = 3', 'Unexpected "=" at character 11'],
  ])('%s is refused by name', (text, message) => {
    expect(() => parseExpression(text)).toThrow(Invalid);
    expect(() => parseExpression(text)).toThrow(message);
  });

  test('is bounded in characters and in parts', () => {
    expect(() => parseExpression(`1${' '.repeat(500)}`)).toThrow('501 characters, allowed 500');
    expect(() => parseExpression(Array(51).fill('1').join('+'))).toThrow('more than 100 parts');
    expect(value(Array(50).fill('1').join('+'))).toBe(50);
    expect(value(`${'('.repeat(249)}1${')'.repeat(249)}`)).toBe(1);
  });

  test('of any text is a tree or an Invalid, never another error', () => {
    const text = fc.string({ unit: fc.constantFrom(...'12.aec()[]?:+-*/<>=!&|"\'`, metricltv'), maxLength: 60 });
    fc.assert(
      fc.property(text, (written) => {
        try {
          expect(typeof value(written)).toBe('number');
        } catch (error) {
          expect(error).toBeInstanceOf(Invalid);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
