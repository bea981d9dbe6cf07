/** Exact sums as policies read them: one float64 a cell, in natural units. */
import { contextDimension, type Experiment } from '../experiment.ts';
import { patternCount } from '../patterns.ts';
import { FEATURE_UNITS, REWARD_UNITS } from '../quantize.ts';
import type { ExactVector } from '../sums/exact.ts';
import {
  gramStart,
  patternLayout,
  SUM_R,
  SUM_R_OVER_P,
  SUM_RR,
  type SumsLayout,
  sumsLayout,
  VECTOR_START,
} from '../sums/layout.ts';

/** What an arm's vector holds: moments of the context, or counts by its patterns. */
export function keptLayout({ layout, context }: Pick<Experiment, 'layout' | 'context'>): SumsLayout {
  return layout === null ? sumsLayout(contextDimension(context)) : patternLayout(patternCount(context));
}

/** @returns one float64 a cell, rounded once, in natural units: rewards in [0, 1], features as encoded. */
export function naturalSums(sums: ExactVector | undefined, layout: SumsLayout): Float64Array {
  if (sums === undefined) return new Float64Array(layout.size);
  const cells = sums.toNumbers();
  const scale = (from: number, to: number, unit: number) => {
    for (let i = from; i < to; i++) cells[i]! /= unit;
  };
  scale(SUM_R, SUM_R + 1, REWARD_UNITS);
  scale(SUM_RR, SUM_RR + 1, REWARD_UNITS ** 2);
  scale(SUM_R_OVER_P, SUM_R_OVER_P + 1, REWARD_UNITS);
  if (layout.patterns > 0) {
    scale(VECTOR_START + layout.patterns, layout.size, REWARD_UNITS);
    return cells;
  }
  scale(VECTOR_START, gramStart(layout), REWARD_UNITS * FEATURE_UNITS);
  scale(gramStart(layout), layout.size, FEATURE_UNITS ** 2);
  return cells;
}
