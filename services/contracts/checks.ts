/**
 * What holds for every value that crosses the door, in either direction. Each returns the value, typed, or refuses it.
 * @throws Invalid with a code of refusals.ts.
 */
import { TEXT_LENGTH_MAX, TIME_MS_END, TIME_MS_MIN } from './limits.ts';
import { type RefusalCode, refuse } from './refusals.ts';

const FORBIDDEN = /[\p{Cc}\u2028\u2029\ufffd]/u;

/** Whether a name or id has 1 to 200 characters, no control characters, and nothing that UTF-8 could not carry. */
export function isText(value: string): boolean {
  if (value.length < 1 || value.length > TEXT_LENGTH_MAX) return false;
  return isPrintableAscii(value) || (!FORBIDDEN.test(value) && value.isWellFormed());
}

/** What nearly all ids are made of, told without the regular expression. */
function isPrintableAscii(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e) return false;
  }
  return true;
}

/** A name or id. */
export function text<T extends string>(name: string, value: T): T {
  if (isText(value)) return value;
  if (value.length < 1 || value.length > TEXT_LENGTH_MAX) {
    refuse('text-range', `${name} has ${value.length} characters, allowed 1 to ${TEXT_LENGTH_MAX}`);
  }
  refuse('text-range', `${name} ${JSON.stringify(value)} has control or undecodable characters`);
}

export function timeMs(name: string, value: number): number {
  if (!Number.isInteger(value) || value < TIME_MS_MIN || value >= TIME_MS_END) {
    refuse('time-range', `${name} ${showTime(value)}, allowed from 2000-01-01 to before 2100-01-01, in milliseconds`);
  }
  return value;
}

/** A finite number, perhaps within limits. */
export function finite(
  name: string,
  value: number,
  limits: { readonly min?: number; readonly max?: number } = {},
): number {
  const { min = -Number.MAX_VALUE, max = Number.MAX_VALUE } = limits;
  if (!(value >= min && value <= max)) outOfRange('number-range', name, value, min, max);
  return value;
}

/** A whole number up to 2⁵³ − 1. */
export function whole(name: string, value: number, limits: { readonly min: number; readonly max?: number }): number {
  const { min, max = Number.MAX_SAFE_INTEGER } = limits;
  if (!(Number.isSafeInteger(value) && value >= min && value <= max)) outOfRange('number-range', name, value, min, max);
  return value;
}

export function propensity(name: string, value: number): number {
  if (!(value > 0 && value <= 1)) refuse('propensity-range', `${name} ${value}, allowed above 0 and at most 1`);
  return value;
}

/** A list within a count. */
export function counted<T>(
  code: RefusalCode,
  name: string,
  list: readonly T[],
  min: number,
  max: number,
): readonly T[] {
  if (list.length < min || list.length > max) refuse(code, `${list.length} ${name}, allowed ${min} to ${max}`);
  return list;
}

/** @returns a map from names to values. Refuses a name that stands twice. */
export function namedMap<V>(
  what: string,
  entries: readonly { readonly name: string; readonly value: V }[],
): Map<string, V> {
  const map = new Map<string, V>();
  for (const { name, value } of entries) {
    if (map.has(text(`name of ${what}`, name))) refuse('contradictory', `${what} ${JSON.stringify(name)} stands twice`);
    map.set(name, value);
  }
  return map;
}

/** @returns the entries of a map in the one order of the format: by name, in UTF-16 code units. */
export function sortedEntries<V>(map: ReadonlyMap<string, V>): { name: string; value: V }[] {
  return [...map].map(([name, value]) => ({ name, value })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function outOfRange(code: RefusalCode, name: string, value: number, min: number, max: number): never {
  refuse(code, `${name} ${value}, allowed ${min} to ${max}`);
}

function showTime(value: number): string {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? String(value) : `${value} (${date.toISOString()})`;
}
