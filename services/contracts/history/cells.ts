/**
 * One row of a file of past events, and what its cells mean: times, numbers, texts. The same for CSV, NDJSON and Parquet, so
 * a number may come as text. Not here: which column is which field (columns.ts).
 */
import { TIME_MS_END, TIME_MS_MIN } from '../limits.ts';
import { refuse } from '../refusals.ts';

export type Cell = string | number | bigint | boolean | Date | null | readonly Cell[];

/** By column; fields of a nested object as `outer.inner`. What is not there and what is `null` or empty is missing. */
export type Cells = ReadonlyMap<string, Cell>;

export function isMissing(cell: Cell | undefined): cell is undefined | null | '' {
  return cell === undefined || cell === null || cell === '';
}

export function textOf(field: string, cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'bigint' || typeof cell === 'boolean' || Number.isSafeInteger(cell)) return String(cell);
  refuse('text-range', `${field} is ${shown(cell)}, allowed is text or a whole number`);
}

/** @returns a number that may be infinite or NaN: the event's own check refuses those. */
export function numberOf(field: string, cell: Cell): number {
  if (typeof cell === 'number') return cell;
  if (typeof cell === 'bigint') return Number(cell);
  if (typeof cell === 'string' && /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(cell)) return Number(cell);
  refuse('number-range', `${field} is ${shown(cell)}, allowed is a number such as 1200 or 0.5`);
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

export function booleanOf(field: string, cell: Cell): boolean {
  const known = BOOLEANS.get(String(cell).toLowerCase());
  if (known !== undefined) return known;
  refuse('number-range', `${field} is ${shown(cell)}, allowed is true or false, 1 or 0`);
}

const TIME_TEXT = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d|UTC)?)?$/i;
/** Between 2000 and 2100 no number of seconds is one of milliseconds too, and so on. */
const UNITS_PER_MS = [1e-3, 1, 1e3, 1e6] as const;

/**
 * Whole milliseconds since 1970: of ISO 8601 text, without a zone in UTC, or of a number of seconds, milli-, micro- or
 * nanoseconds since 1970.
 */
export function timeMsOf(field: string, cell: Cell): number {
  const timeMs = possibleTimeMs(cell);
  if (timeMs >= TIME_MS_MIN && timeMs < TIME_MS_END) return timeMs;
  refuse(
    'time-range',
    `${field} is ${shown(cell)}, allowed is a time from 2000 to 2099 such as 2026-01-31T12:00:00Z or 1769860800`,
  );
}

function possibleTimeMs(cell: Cell): number {
  if (cell instanceof Date) return cell.getTime();
  const text = typeof cell === 'string' ? cell.trim() : null;
  if (text !== null && TIME_TEXT.test(text)) return Date.parse(isoOf(text));
  if (text !== null && !/^\d+(\.\d+)?$/.test(text)) return Number.NaN;
  if (typeof cell === 'boolean' || Array.isArray(cell)) return Number.NaN;
  const value = Number(cell);
  const units = UNITS_PER_MS.find((perMs) => value >= TIME_MS_MIN * perMs && value < TIME_MS_END * perMs);
  return units === undefined ? Number.NaN : Math.floor(value / units);
}

function isoOf(text: string): string {
  const [, day, time = '00:00', zone = 'Z'] = /^(\S{10})(?:[T ]([\d:.]+)\s*(\S+)?)?$/i.exec(text)!;
  return `${day}T${time}${/^(utc|z)$/i.test(zone) ? 'Z' : zone.replace(/^(...)(\d\d)$/, '$1:$2')}`;
}

const SHOWN_CHARS_MAX = 100;

function shown(cell: Cell): string {
  return String(typeof cell === 'string' ? JSON.stringify(cell) : cell).slice(0, SHOWN_CHARS_MAX);
}
