/** Comparisons as text for a terminal. */
import { type Cell, renderTable } from '../platform/table.ts';
import type { Band } from './band.ts';
import type { Comparison, PolicyResult } from './comparison.ts';
import { ARMS_SHOWN_MAX, type ArmShares } from './summary.ts';

/** @returns a heading, the figures of each policy, and who was dealt what; without a last newline. */
export function comparisonText(comparison: Comparison): string {
  const parts = [figuresText(comparison)];
  if (comparison.armIds.length <= ARMS_SHOWN_MAX) parts.push('Share of users by arm dealt', shareTable(comparison));
  return parts.join('\n');
}

/** @returns a heading and the figures of each policy; without a last newline. */
export function figuresText(comparison: Comparison): string {
  const { environment, users, seeds, oracle } = comparison;
  const last = seeds.at(-1)!;
  const heading =
    `${environment}: ${users} users, seeds ${seeds[0]}${last === seeds[0] ? '' : ` to ${last}`}; ` +
    `an oracle has ${bandText(oracle, unitDigits(oracle.mean))} a user`;
  return `${heading}\n${figureTable(comparison)}`;
}

function figureTable({ policies, oracle }: Comparison): string {
  const head = ['policy', 'mean', 'observed', 'total', 'regret', 'regret rate', 'best arm', 'ROI'];
  const rows = policies.map(({ policy, figures }) => [
    policy,
    bandText(figures.mean, unitDigits(oracle.mean)),
    bandText(figures.meanObserved, unitDigits(oracle.mean)),
    bandText(figures.total, 0),
    bandText(figures.regret, 0),
    percentText(figures.regretRate, 2),
    percentText(figures.bestArmShare, 1),
    percentText(figures.returnOnInvestment, 1),
  ]);
  return renderTable(head, rows);
}

function shareTable({ policies, armIds }: Comparison): string {
  const [first] = policies;
  const rows = [
    ...shareRows('best for', first!, 'best'),
    ...policies.flatMap((one) => shareRows(one.policy, one, 'dealt')),
  ];
  return renderTable(['policy', 'segment', ...armIds], rows);
}

function shareRows(name: string, result: PolicyResult, side: 'dealt' | 'best'): Cell[][] {
  const row = (label: string, segment: string, shares: ArmShares): Cell[] => [
    label,
    segment,
    ...shares[side].map((share) => `${(100 * share).toFixed(1)}%`),
  ];
  return [row(name, 'all', result.arms), ...[...result.segments].map(([segment, shares]) => row('', segment, shares))];
}

/** Rewards of a click need more digits than those in a currency. */
function unitDigits(reward: number): number {
  return Math.abs(reward) < 10 ? 4 : 2;
}

function bandText(band: Band | null, digits: number): string {
  if (band === null) return '-';
  const half = band.high === null ? '' : ` ±${(band.high - band.mean).toFixed(digits)}`;
  return `${band.mean.toFixed(digits)}${half}`;
}

function percentText(band: Band | null, digits: number): string {
  if (band === null) return '-';
  return `${(100 * band.mean).toFixed(digits)}%${band.high === null ? '' : ` ±${(100 * (band.high - band.mean)).toFixed(digits)}`}`;
}
