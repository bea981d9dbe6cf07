import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { booleanOf, type Cell, numberOf, textOf, timeMsOf } from '../../../../services/contracts/history/cells.ts';

const NOON = Date.UTC(2026, 0, 31, 12);

describe('a time', () => {
  // Not that of the machine which runs the tests, perhaps UTC.
  beforeAll(() => void vi.stubEnv('TZ', 'America/New_York'));
  afterAll(() => void vi.unstubAllEnvs());

  test.each<[string, Cell, number]>([
    ['ISO 8601', '2026-01-31T12:00:00Z', NOON],
    ['a fraction of a second', '2026-01-31T12:00:00.250Z', NOON + 250],
    ['microseconds, cut to whole milliseconds', '2026-01-31 12:00:00.250999', NOON + 250],
    ['another zone', '2026-01-31T13:30:00+01:30', NOON],
    ['another zone without a colon', '2026-01-31 10:00:00-0200', NOON],
    ['a zone by name', '2026-01-31 12:00:00 UTC', NOON],
    ['no zone, which is UTC on every machine', '2026-01-31 12:00', NOON],
    ['a day', '2026-01-31', NOON - 43_200_000],
    ['seconds', NOON / 1000, NOON],
    ['seconds with a fraction', '1769860800.5', NOON + 500],
    ['milliseconds', String(NOON), NOON],
    ['microseconds', BigInt(NOON) * 1000n, NOON],
    ['nanoseconds', BigInt(NOON) * 1_000_000n, NOON],
    ['a date of Parquet', new Date(NOON), NOON],
  ])('is read from %s', (_, cell, timeMs) => {
    expect(timeMsOf('time', cell)).toBe(timeMs);
  });

  test.each<[string, Cell]>([
    ['a day of 1999', '1999-12-31'],
    ['the year 2100', '2100-01-01T00:00:00Z'],
    ['a day that no month has', '2026-02-31T25:00:00Z'],
    ['day before month', '31.01.2026'],
    ['a small number', 12],
    ['a boolean', true],
    ['a list', [NOON]],
    ['no number', Number.NaN],
  ])('is not %s', (_, cell) => {
    expect(() => timeMsOf('time', cell)).toThrowError(expect.objectContaining({ code: 'time-range' }));
  });
});

test('an id may be a whole number, but none that JSON has already rounded', () => {
  expect(textOf('unit', 42)).toBe('42');
  expect(textOf('unit', 12345678901234567890n)).toBe('12345678901234567890');
  expect(() => textOf('unit', JSON.parse('12345678901234567890'))).toThrow('unit is 12345678901234567000');
  expect(() => textOf('unit', 1.5)).toThrow('allowed is text or a whole number');
});

test('a number may be text, as long as all of it is the number', () => {
  expect(numberOf('value', ' -1.5e3 ')).toBe(-1500);
  expect(numberOf('value', 7n)).toBe(7);
  for (const cell of ['3,5', '0x10', '1 2', 'Infinity', '']) {
    expect(() => numberOf('value', cell)).toThrowError(expect.objectContaining({ code: 'number-range' }));
  }
});

test('a boolean is true or false, 1 or 0', () => {
  expect([true, 'TRUE', 1, '1', 1n].map((cell) => booleanOf('plan', cell))).toEqual(Array(5).fill(true));
  expect([false, 'False', 0, '0'].map((cell) => booleanOf('plan', cell))).toEqual(Array(4).fill(false));
  expect(() => booleanOf('plan', 'yes')).toThrow('plan is "yes", allowed is true or false, 1 or 0');
});
