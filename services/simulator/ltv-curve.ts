/**
 * How 30-day value becomes known: early proxies on fixed days, each a revision of the one before, the last one final.
 */
import type { Random } from '../core/random.ts';

/** Day of each report, and how much of the 30-day value has come in by then on average. */
export const CHECKPOINTS: readonly { readonly day: number; readonly share: number }[] = [
  { day: 1, share: 0.3 },
  { day: 3, share: 0.5 },
  { day: 7, share: 0.7 },
  { day: 14, share: 0.85 },
  { day: 30, share: 1 },
];

const SHARE_DEVIATION = 0.08;

export interface Report {
  /** From 0: a later report revises the earlier ones. */
  readonly revision: number;
  readonly day: number;
  /** 30-day value as extrapolated on that day; the last one is the value itself. */
  readonly value: number;
}

/** @returns the reports of one unit in order of time. */
export function ltvReports(ltv: number, random: Random): Report[] {
  return CHECKPOINTS.map(({ day, share }, revision) => {
    const isFinal = share === 1;
    const seen = isFinal ? ltv : ltv * Math.max(0, share + SHARE_DEVIATION * random.normal());
    return { revision, day, value: isFinal ? ltv : seen / share };
  });
}
