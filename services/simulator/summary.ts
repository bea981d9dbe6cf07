/**
 * What a run comes to: totals, shares, and curves at a few hundred steps instead of all. Small enough to send between
 * threads. Not here: means over seeds (comparison.ts).
 */
import type { Counts } from '../core/learning/counts.ts';
import type { Run } from './run.ts';

/** Rewards are after costs; those without further word are expected ones, free of the noise of single rewards. */
export interface RunSummary {
  readonly armIds: readonly string[];
  readonly total: number;
  readonly mean: number;
  /** Mean of what was observed, noise included. */
  readonly meanObserved: number;
  /** Mean of the best arms: what an oracle would have had of the same users. */
  readonly meanOracle: number;
  /** Total of the best arms less total of the dealt ones. */
  readonly regret: number;
  /** Regret as a share of the oracle's total. */
  readonly regretRate: number;
  /** Share of steps at which the dealt arms were as good as the best. */
  readonly bestArmShare: number;
  /** What a unit brings more than with always the first arm, per unit of its cost; `null` where units cost nothing. */
  readonly returnOnInvestment: number | null;
  readonly arms: ArmShares;
  readonly segments: ReadonlyMap<string, ArmShares>;
  readonly curves: Curves;
  /** `null` where there are too many arms to tell apart. */
  readonly armCurves: ArmCurves | null;
  readonly counts: Readonly<Counts>;
}

export interface ArmShares {
  readonly units: number;
  /** By arm, share of the slots that it was dealt in; … */
  readonly dealt: readonly number[];
  /** … and of those that it is best for. */
  readonly best: readonly number[];
}

export const CURVES = ['cumulativeReward', 'cumulativeRegret', 'movingAverage', 'bestArmShare'] as const;
export type CurveName = (typeof CURVES)[number];

/** One entry for each of `checkpoints(users)`. Moving figures are over the last MOVING_STEPS steps. */
export type Curves = Readonly<Record<CurveName, Float64Array>>;

/** By arm, one entry for each of `checkpoints(users)`: shares of the slots of the last MOVING_STEPS steps. */
export interface ArmCurves {
  readonly dealt: readonly Float64Array[];
  /** Of the slots that the arm was best for. */
  readonly best: readonly Float64Array[];
}

export const MOVING_STEPS = 200;
/** More do not fit a line of a table, nor a chart. */
export const ARMS_SHOWN_MAX = 10;

export function summarize(run: Run): RunSummary {
  const users = run.expected.length;
  const total = sum(run.expected);
  const oracle = sum(run.expectedBest);
  const gained = (total - sum(run.expectedFirst)) / users;
  return {
    armIds: run.armIds,
    total,
    mean: total / users,
    meanObserved: sum(run.observed) / users,
    meanOracle: oracle / users,
    regret: oracle - total,
    regretRate: (oracle - total) / Math.abs(oracle),
    bestArmShare: run.expected.reduce((count, _, step) => count + isBest(run, step), 0) / users,
    returnOnInvestment: run.costOfUnit === null ? null : gained / run.costOfUnit,
    arms: armShares(run, () => true),
    segments: segmentShares(run),
    curves: curves(run),
    armCurves:
      run.armIds.length > ARMS_SHOWN_MAX
        ? null
        : { dealt: movingShares(run, run.dealt), best: movingShares(run, run.best) },
    counts: run.counts,
  };
}

const EVEN = 200;
const EARLY = 60;

/** @returns counts of steps at which curves are kept, ascending from 1: evenly spaced, and more of the early ones for logarithmic axes. */
export function checkpoints(users: number): readonly number[] {
  const points = new Set<number>();
  for (let i = 1; i <= EVEN; i++) points.add(Math.ceil((i * users) / EVEN));
  for (let i = 0; i <= EARLY; i++) points.add(Math.round(users ** (i / EARLY)));
  return [...points].sort((a, b) => a - b);
}

function curves(run: Run): Curves {
  const points = checkpoints(run.expected.length);
  const made = Object.fromEntries(CURVES.map((name) => [name, new Float64Array(points.length)])) as Curves;
  let reward = 0;
  let regret = 0;
  let movingReward = 0;
  let movingBest = 0;
  let at = 0;
  for (let step = 0; step < run.expected.length; step++) {
    reward += run.observed[step]!;
    regret += run.expectedBest[step]! - run.expected[step]!;
    movingReward += run.observed[step]!;
    movingBest += isBest(run, step);
    const left = step - MOVING_STEPS;
    if (left >= 0) {
      movingReward -= run.observed[left]!;
      movingBest -= isBest(run, left);
    }
    if (points[at] !== step + 1) continue;
    const width = Math.min(step + 1, MOVING_STEPS);
    made.cumulativeReward[at] = reward;
    made.cumulativeRegret[at] = regret;
    made.movingAverage[at] = movingReward / width;
    made.bestArmShare[at] = movingBest / width;
    at += 1;
  }
  return made;
}

/** @param arms by slot of each step. */
function movingShares({ armIds, slots, expected }: Run, arms: Int32Array): Float64Array[] {
  const points = checkpoints(expected.length);
  const shares = armIds.map(() => new Float64Array(points.length));
  const counts = armIds.map(() => 0);
  let cell = 0;
  for (const [at, point] of points.entries()) {
    for (; cell < point * slots; cell++) {
      counts[arms[cell]!]! += 1;
      const left = cell - MOVING_STEPS * slots;
      if (left >= 0) counts[arms[left]!]! -= 1;
    }
    const width = Math.min(point, MOVING_STEPS) * slots;
    for (const [arm, count] of counts.entries()) shares[arm]![at] = count / width;
  }
  return shares;
}

/** @returns 1 or 0. Arms that tie are equally best. */
function isBest(run: Run, step: number): number {
  return Number(run.expected[step]! >= run.expectedBest[step]!);
}

function segmentShares(run: Run): Map<string, ArmShares> {
  const names = new Set(run.segments.flat());
  return new Map([...names].sort().map((name) => [name, armShares(run, (step) => run.segments[step]!.includes(name))]));
}

function armShares(run: Run, includes: (step: number) => boolean): ArmShares {
  const dealt = run.armIds.map(() => 0);
  const best = run.armIds.map(() => 0);
  let units = 0;
  for (let step = 0; step < run.expected.length; step++) {
    if (!includes(step)) continue;
    units += 1;
    for (let cell = step * run.slots; cell < (step + 1) * run.slots; cell++) {
      dealt[run.dealt[cell]!]! += 1;
      best[run.best[cell]!]! += 1;
    }
  }
  const share = (count: number): number => count / (units * run.slots);
  return { units, dealt: dealt.map(share), best: best.map(share) };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
