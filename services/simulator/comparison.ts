/**
 * Policies side by side in one environment, each over the same seeds: the figures that the table, the JSON file and the
 * report show.
 */
import { type Band, bandOf } from './band.ts';
import type { Setting } from './setting.ts';
import { type ArmCurves, type ArmShares, CURVES, type CurveName, checkpoints, type RunSummary } from './summary.ts';

export const FIGURES = [
  'total',
  'mean',
  'meanObserved',
  'regret',
  'regretRate',
  'bestArmShare',
  'returnOnInvestment',
] as const;
export type FigureName = (typeof FIGURES)[number];

export interface CurveBand {
  readonly mean: readonly number[];
  /** Empty for a single seed. */
  readonly low: readonly number[];
  readonly high: readonly number[];
}

export interface PolicyResult {
  readonly policy: string;
  readonly figures: Readonly<Record<FigureName, Band | null>>;
  /** By seed, the mean expected reward. */
  readonly meanBySeed: readonly number[];
  readonly arms: ArmShares;
  readonly segments: ReadonlyMap<string, ArmShares>;
  readonly curves: Readonly<Record<CurveName, CurveBand>>;
  /** Means over seeds, by arm; `null` where there are too many arms to tell apart. */
  readonly armCurves: Readonly<Record<keyof ArmCurves, readonly (readonly number[])[]>> | null;
}

export interface Comparison {
  readonly environment: string;
  readonly armIds: readonly string[];
  readonly users: number;
  readonly seeds: readonly number[];
  /** Mean expected reward of an oracle. */
  readonly oracle: Band;
  /** Step counts that belong to the entries of curves. */
  readonly steps: readonly number[];
  readonly policies: readonly PolicyResult[];
}

/** @param summaries in the order of `runsOf`. @returns one comparison for each environment. */
export function compare(setting: Setting, summaries: readonly RunSummary[]): Comparison[] {
  const { environments, policies, users, seeds } = setting;
  return environments.map((environment, at) => {
    const ofPolicy = policies.map((_, policy) => {
      const start = (at * policies.length + policy) * seeds.length;
      return summaries.slice(start, start + seeds.length);
    });
    return {
      environment,
      armIds: mostArms(ofPolicy.flat()),
      users,
      seeds,
      // All policies of a seed meet the same users.
      oracle: bandOf(ofPolicy[0]!.map((summary) => summary.meanOracle)),
      steps: checkpoints(users),
      policies: policies.map((policy, index) => policyResult(policy, ofPolicy[index]!)),
    };
  });
}

/** Worlds whose arms come and go may have more of them with one seed than with another, never others. */
function mostArms(summaries: readonly RunSummary[]): readonly string[] {
  return summaries.map(({ armIds }) => armIds).reduce((most, armIds) => (armIds.length > most.length ? armIds : most));
}

function policyResult(policy: string, runs: readonly RunSummary[]): PolicyResult {
  const segments = new Set(runs.flatMap((run) => [...run.segments.keys()]));
  return {
    policy,
    figures: Object.fromEntries(FIGURES.map((name) => [name, figure(name, runs)])) as PolicyResult['figures'],
    meanBySeed: runs.map((run) => run.mean),
    arms: pooled(runs.map((run) => run.arms)),
    segments: new Map(
      [...segments].map((name) => [
        name,
        pooled(runs.map((run) => run.segments.get(name)).filter((shares) => shares !== undefined)),
      ]),
    ),
    curves: Object.fromEntries(CURVES.map((name) => [name, curve(name, runs)])) as PolicyResult['curves'],
    armCurves: meanArmCurves(runs.map((run) => run.armCurves)),
  };
}

function figure(name: FigureName, runs: readonly RunSummary[]): Band | null {
  const values = runs.map((run) => run[name]).filter((value) => value !== null);
  return values.length === 0 ? null : bandOf(values);
}

/** Shares over the units of all runs. */
function pooled(shares: readonly ArmShares[]): ArmShares {
  const units = shares.reduce((sum, run) => sum + run.units, 0);
  const arms = Math.max(...shares.map((run) => run.dealt.length));
  const pool = (of: (run: ArmShares) => readonly number[]) =>
    Array.from({ length: arms }, (_, arm) =>
      shares.reduce((sum, run) => sum + ((of(run)[arm] ?? 0) * run.units) / units, 0),
    );
  return { units, dealt: pool((run) => run.dealt), best: pool((run) => run.best) };
}

function curve(name: CurveName, runs: readonly RunSummary[]): CurveBand {
  const bands = Array.from(runs[0]!.curves[name], (_, at) => bandOf(runs.map((run) => run.curves[name][at]!)));
  const bounds = (side: 'low' | 'high') => bands.map((band) => band[side]).filter((bound) => bound !== null);
  return { mean: bands.map((band) => band.mean), low: bounds('low'), high: bounds('high') };
}

function meanArmCurves(runs: readonly (ArmCurves | null)[]): PolicyResult['armCurves'] {
  const known = runs.filter((run) => run !== null);
  if (known.length < runs.length) return null;
  const mean = (side: keyof ArmCurves) =>
    known[0]![side].map((own, arm) =>
      Array.from(own, (_, at) => known.reduce((sum, run) => sum + run[side][arm]![at]! / known.length, 0)),
    );
  return { dealt: mean('dealt'), best: mean('best') };
}
