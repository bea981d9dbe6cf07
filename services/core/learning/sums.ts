/**
 * The sums of experiments, by decision-time cohort and arm, and how a change of a slot's outcome moves them.
 * Owns the tallies of one partition in memory and which of them changed since they were last taken.
 */
import type { ArmId, ExperimentId, Slot } from '../events.ts';
import type { DecisionEntry } from '../join/group.ts';
import type { Outcome } from '../join/worth.ts';
import { ADDEND_MAX } from '../quantize.ts';
import { ExactVector } from '../sums/exact.ts';
import { N, PULLS, SUM_R, SUM_R_OVER_P, SUM_RR, sumsLayout, VECTOR_START } from '../sums/layout.ts';

/** Sums of one (experiment, cohort): by arm, all of one layout. */
export type CohortSums = Map<ArmId, ExactVector>;

/** One slot's move from one outcome to another; `null` before its decision was known. */
export interface SumDelta {
  readonly decision: DecisionEntry;
  readonly slot: Slot;
  readonly cohort: number;
  readonly before: Outcome | null;
  readonly after: Outcome;
}

export class PartitionSums {
  private readonly experiments = new Map<ExperimentId, Map<number, CohortSums>>();
  private changed = new Map<ExperimentId, Set<number>>();

  apply(delta: SumDelta): void {
    const { experimentId, features } = delta.decision;
    const arms = getOrInsert(this.cohorts(experimentId), delta.cohort, () => new Map());
    const sums = getOrInsert(arms, delta.slot.armId, () => new ExactVector(sumsLayout(features.length).size));
    addDelta(sums, delta);
    this.touch(experimentId, delta.cohort);
  }

  /** Puts stored sums back; not a change. */
  restore(experimentId: ExperimentId, cohort: number, sums: CohortSums): void {
    this.cohorts(experimentId).set(cohort, sums);
  }

  /** Has sums taken as changed, although they are what they were. */
  touch(experimentId: ExperimentId, cohort: number): void {
    getOrInsert(this.changed, experimentId, () => new Set()).add(cohort);
  }

  /** @returns what changed since the last call. */
  takeChanged(): { experimentId: ExperimentId; cohort: number; sums: CohortSums }[] {
    const taken = [...this.changed].flatMap(([experimentId, cohorts]) =>
      [...cohorts].map((cohort) => ({ experimentId, cohort, sums: this.cohorts(experimentId).get(cohort)! })),
    );
    this.changed = new Map();
    return taken;
  }

  *entries(): Generator<{ experimentId: ExperimentId; cohort: number; sums: CohortSums }> {
    for (const [experimentId, cohorts] of this.experiments) {
      for (const [cohort, sums] of cohorts) yield { experimentId, cohort, sums };
    }
  }

  private cohorts(experimentId: ExperimentId): Map<number, CohortSums> {
    return getOrInsert(this.experiments, experimentId, () => new Map());
  }
}

function addDelta(sums: ExactVector, { decision, slot, before, after }: SumDelta): void {
  const cells = sums.beginRound();
  const u = before?.rewardUnits ?? null;
  const v = after.rewardUnits;
  const counted = Number(v !== null) - Number(u !== null);
  const { features } = decision;
  const { propensity } = slot;
  cells[PULLS]! += before === null ? 1 : 0;
  cells[N]! += counted;
  cells[SUM_R]! += (v ?? 0) - (u ?? 0);
  cells[SUM_RR]! += (v ?? 0) ** 2 - (u ?? 0) ** 2;
  cells[SUM_R_OVER_P]! += overPropensity(v ?? 0, propensity) - overPropensity(u ?? 0, propensity);
  const change = (v ?? 0) - (u ?? 0);
  let cell = VECTOR_START;
  for (const x of features) cells[cell++]! += change * x;
  if (counted === 0) return;
  for (let i = 0; i < features.length; i++) {
    const xi = counted * features[i]!;
    for (let j = 0; j <= i; j++) cells[cell++]! += xi * features[j]!;
  }
}

/** @returns r/p in whole reward units, bounded so that the sum stays exact: p below 2⁻²⁰ counts as 2⁻²⁰. */
function overPropensity(rewardUnits: number, propensity: number): number {
  return Math.min(ADDEND_MAX, Math.round(rewardUnits / propensity));
}

export function getOrInsert<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
