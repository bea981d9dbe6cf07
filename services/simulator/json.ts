/** Comparisons as JSON for other programs. */
import { type Comparison, FIGURES, type FigureName } from './comparison.ts';
import type { Setting } from './setting.ts';

/** One figure of one policy in one environment, with its 95 % band over seeds. */
export interface Bar {
  readonly environment: string;
  readonly policy: string;
  readonly figure: FigureName;
  readonly mean: number;
  /** `null` for a single seed. */
  readonly low: number | null;
  readonly high: number | null;
}

/** @returns `{ setting, bars, comparisons }`; shares are of 1, rewards after costs. */
export function resultsJson(comparisons: readonly Comparison[], setting: Setting): string {
  return `${JSON.stringify({ setting, bars: comparisons.flatMap(barsOf), comparisons }, plain, 1)}\n`;
}

function barsOf({ environment, policies }: Comparison): Bar[] {
  return policies.flatMap(({ policy, figures }) =>
    FIGURES.flatMap((figure) => {
      const band = figures[figure];
      return band === null ? [] : [{ environment, policy, figure, ...band }];
    }),
  );
}

/** What JSON lacks. */
function plain(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
