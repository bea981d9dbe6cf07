/** Reading the statistics of all arms out of the sums, checked once for every policy. */
import { Corrupt, Invalid } from '../errors.ts';
import { N, SUM_R, SUM_R_OVER_P, SUM_RR } from '../sums/layout.ts';
import type { PolicyInput } from './policy.ts';

const CELLS = { n: N, sumR: SUM_R, sumRR: SUM_RR, sumROverP: SUM_R_OVER_P } as const;

/**
 * @returns by arm.
 * @throws Invalid `arms-none` without arms; Corrupt `sums` naming the arm whose value is negative or not finite:
 *   rewards lie in [0, 1], so no such sum can come from them.
 */
export function statistic({ armIds, sums }: PolicyInput, name: keyof typeof CELLS): Float64Array {
  if (sums.length === 0) throw new Invalid('arms-none', 'there is no arm to choose, at least one is needed');
  return Float64Array.from(sums, (cells, arm) => {
    const value = cells[CELLS[name]]!;
    if (value >= 0 && value < Number.POSITIVE_INFINITY) return value;
    throw new Corrupt('sums', `arm ${armIds[arm]}: ${name} is ${value}, allowed is a finite number of at least 0`);
  });
}

/** @returns by arm, the mean reward over the decisions that count; 0 for an untried arm. @throws as `statistic` does. */
export function meanRewards(input: PolicyInput): Float64Array {
  const n = statistic(input, 'n');
  return statistic(input, 'sumR').map((sumR, arm) => (n[arm]! > 0 ? sumR / n[arm]! : 0));
}
