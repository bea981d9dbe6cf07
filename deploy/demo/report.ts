/**
 * What the demo found, as bars that hold or do not, and as tables for people.
 */
import type { OffPolicyRow } from './open-bandit.ts';

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: string;
  readonly holds: boolean;
}

export function exactly(name: string, value: number, expected: number, unit: string): Bar {
  return { name, value, unit, limit: `= ${expected}`, holds: value === expected };
}

export function atMost(name: string, value: number, limit: number, unit: string): Bar {
  return { name, value, unit, limit: `<= ${limit}`, holds: value <= limit };
}

export function atLeast(name: string, value: number, limit: number, unit: string): Bar {
  return { name, value, unit, limit: `>= ${limit}`, holds: value >= limit };
}

export function offPolicyCells({ policy, result }: OffPolicyRow): string[] {
  const sampleSize = result.effectiveSampleSize.toFixed(0);
  if (result.status === 'refused') return [policy, '-', '-', sampleSize, result.reason];
  const { ips, snips } = result;
  return [
    policy,
    percent(ips.value),
    percent(snips.value),
    sampleSize,
    `${percent(snips.interval.low)} to ${percent(snips.interval.high)}`,
  ];
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(3)}%`;
}

/** @param q in [0, 1]; nearest rank. @returns `null` of nothing. */
export function quantile(values: readonly number[], q: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? null;
}
