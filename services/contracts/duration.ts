/** Durations as people write them: a whole number and one unit, such as 30d, 12h, 90s or 500ms. */

const UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['w', 604_800_000],
]);

/** @returns milliseconds, `null` when the text is no duration. */
export function parseDuration(text: string): number | null {
  const [, count, unit] = /^(\d{1,15})(ms|s|m|h|d|w)$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) return null;
  const ms = Number(count) * UNITS.get(unit)!;
  return Number.isSafeInteger(ms) ? ms : null;
}

/** @returns the shortest text that means exactly this; weeks are written as days. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const unitMs = UNITS.get(unit)!;
    if (ms !== 0 && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}
