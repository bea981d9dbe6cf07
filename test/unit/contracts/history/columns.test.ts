import { expect, test } from 'vitest';
import type { Cells } from '../../../../services/contracts/history/cells.ts';
import { Columns, DECISION_FIELDS } from '../../../../services/contracts/history/columns.ts';

const cells = (row: object): Cells => new Map(Object.entries(row));
const columns = (map: string[] = [], set: string[] = []) => new Columns(DECISION_FIELDS, { map, set });

test('a field is found by its usual names, however they are written, and its own name comes first', () => {
  for (const name of ['unit', 'unit_id', 'unitId', 'USER ID', 'customer-id']) {
    expect(columns().needed('unit', cells({ [name]: 'u' }))).toBe('u');
  }
  expect(columns().needed('unit', cells({ user: 'b', unit: 'a' }))).toBe('a');
});

test('an empty cell is no cell: the next usual name is looked at', () => {
  expect(columns().needed('unit', cells({ unit: '', user: 'b' }))).toBe('b');
  expect(columns().perhaps('unit', cells({ unit: null }))).toBeNull();
});

test('rows of other columns than the row before are read by their own', () => {
  const all = columns();
  expect(all.needed('unit', cells({ user_id: 'a' }))).toBe('a');
  expect(all.needed('unit', cells({ customer_id: 'b' }))).toBe('b');
  expect(all.perhaps('arm', cells({ customer_id: 'b' }))).toBeNull();
});

test('a mapped field is read from its column and nowhere else', () => {
  const mapped = columns(['unit=who', 'context.age=years']);
  expect(mapped.needed('unit', cells({ who: 'a', unit: 'b' }))).toBe('a');
  expect(() => mapped.needed('unit', cells({ unit: 'b' }))).toThrow('unit is missing; looked for in who;');
  expect(mapped.feature('age', cells({ years: 31 }))).toBe(31);
});

test('a set field has its value in all rows', () => {
  expect(columns([], ['propensity=0.25']).needed('propensity', cells({ propensity: 1 }))).toBe('0.25');
});

test('a feature is found by its name, or better with the prefix', () => {
  expect(columns().feature('age', cells({ age: 1, 'context.age': 2 }))).toBe(2);
  expect(columns().feature('age', cells({ age: 1 }))).toBe(1);
});

test('what was taken for what is told', () => {
  const all = columns([], ['experiment=coupon']);
  all.needed('unit', cells({ user_id: 'a' }));
  all.needed('experiment', cells({ user_id: 'a' }));
  expect(Object.fromEntries(all.used)).toEqual({ unit: 'user_id', experiment: '="coupon"' });
});

test.each([
  [['unit'], [], '--map "unit", allowed is FIELD=…'],
  [['=who'], [], '--map "=who", allowed is FIELD=…'],
  [['propensty=p'], [], '--map "propensty=p": unknown field, did you mean propensity?'],
  [['unit=who'], ['unit=ada'], 'unit has both --map and --set'],
])('--map %j with --set %j is refused', (map, set, problem) => {
  expect(() => columns(map, set)).toThrow(problem);
});
