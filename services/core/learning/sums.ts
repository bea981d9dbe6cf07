/**
 * The sums of experiments, by decision-time cohort and arm, and how a change of a slot's outcome moves them.
 * Owns the tallies of one partition in memory and which of them changed since they were last taken.
 */
import type { ArmId, ExperimentId, Slot } from '../events.ts';
import type { DecisionEntry } from '../join/group.ts';
import type { Outcome } from '../join/worth.ts';
import { ADDEND_MAX } from '../quantize.ts';
import { DELAYS_SIZE, delayBucket, FIRST_REWARDS } from '../sums/delays.ts';
import { ExactVector } from '../sums/exact.ts';
import { N, PULLS, patternLayout, SUM_R, SUM_R_OVER_P, SUM_RR, sumsLayout, VECTOR_START } from '../sums/layout.ts';

/** Sums of one (experiment, cohort): by arm, all of one layout; HOLDOUT and DELAYS among the arms. */
export type CohortSums = Map<ArmId, ExactVector>;

/** Where the slots of the holdout add up, so that no policy learns from them. No arm can have this id. */
export const HOLDOUT = '' as ArmId;

/** Where delays are counted, in experiments that correct for them; laid out by sums/delays.ts. No arm can have this id. */
export const DELAYS = '\u0000' as ArmId;

/** Where a decision is counted by the pattern of its context. */
export interface CountedPattern {
  readonly pattern: number;
  /** How many patterns the context has. */
  readonly patterns: number;
}

/** How the delay of a slot's first reward is counted (sums/delays.ts). */
export interface CountedDelay {
  /** When in the cohort it was decided. */
  readonly tick: number;
  /** The longest delay there is. */
  readonly windowMs: number;
}

/** One slot's move from one outcome to another; `null` before its decision was known. */
export interface SumDelta {
  /** Where it is summed, see `lineOf`. */
  readonly line: ExperimentId;
  readonly decision: DecisionEntry;
  readonly slot: Slot;
  readonly cohort: number;
  /** `null` where delays are not counted. */
  readonly delays: CountedDelay | null;
  /** `null` where Σ r·x and Σ x·xᵀ are kept. */
  readonly counted: CountedPattern | null;
  readonly before: Outcome | null;
  readonly after: Outcome;
}

/** Sums that stand under one name. */
export interface NamedSums {
  readonly experimentId: ExperimentId;
  readonly cohort: number;
  /** Whether they are of that cohort and all before it. */
  readonly rolledUp: boolean;
  readonly sums: CohortSums;
}

export interface ChangedSums extends NamedSums {
  /** How many sums of the experiment changed together; until all of them are known, none stands for a cut. */
  readonly changedTogether: number;
}

/** What became of cohorts: those that are gone stand in the newest of them now. */
export interface RolledUp {
  readonly experimentId: ExperimentId;
  readonly into: number;
  readonly gone: readonly number[];
}

export class PartitionSums {
  private readonly experiments = new Map<ExperimentId, Map<number, CohortSums>>();
  /** The newest cohort that is rolled up, with those before it, under its own number. */
  private readonly rolledUpTo = new Map<ExperimentId, number>();
  private changed = new Map<ExperimentId, Set<number>>();

  apply(delta: SumDelta): void {
    const { line: experimentId, counted, decision, slot } = delta;
    const { features, heldOut } = decision;
    const armId = heldOut ? HOLDOUT : slot.armId;
    const cohort = this.standsUnder(experimentId, delta.cohort);
    const arms = getOrInsert(this.cohorts(experimentId), cohort, () => new Map());
    const { size } = counted === null ? sumsLayout(features.length) : patternLayout(counted.patterns);
    addDelta(
      getOrInsert(arms, armId, () => new ExactVector(size)),
      delta,
    );
    if (delta.delays !== null) {
      addDelay(
        getOrInsert(arms, DELAYS, () => new ExactVector(DELAYS_SIZE)),
        delta.delays,
        delta,
      );
    }
    this.touch(experimentId, cohort);
  }

  /** @returns the cohort whose sums take what is decided in a cohort: its own, or the one it is rolled up in. */
  standsUnder(experimentId: ExperimentId, cohort: number): number {
    return Math.max(cohort, this.rolledUpTo.get(experimentId) ?? 0);
  }

  isRolledUp(experimentId: ExperimentId, cohort: number): boolean {
    return cohort <= (this.rolledUpTo.get(experimentId) ?? -1);
  }

  /** @returns the newest cohort with sums; `null` when there is none. */
  newestCohort(experimentId: ExperimentId): number | null {
    const cohorts = this.experiments.get(experimentId);
    return cohorts === undefined || cohorts.size === 0 ? null : Math.max(...cohorts.keys());
  }

  /** Puts stored sums back; not a change. */
  restore({ experimentId, cohort, rolledUp, sums }: NamedSums): void {
    if (rolledUp) this.rolledUpTo.set(experimentId, cohort);
    this.cohorts(experimentId).set(cohort, sums);
  }

  /** Has sums taken as changed, although they are what they were. */
  touch(experimentId: ExperimentId, cohort: number): void {
    getOrInsert(this.changed, experimentId, () => new Set()).add(cohort);
  }

  changedExperiments(): ExperimentId[] {
    return [...this.changed.keys()];
  }

  /**
   * Adds the sums of the experiment's cohorts before one into a single one, which takes all that is still to come for
   * them: the total stays the same, to the bit.
   * @returns `null` when there are not two of them.
   */
  rollUp(experimentId: ExperimentId, before: number): RolledUp | null {
    const cohorts = this.cohorts(experimentId);
    const gone = [...cohorts.keys()].filter((cohort) => cohort < before).sort((a, b) => a - b);
    const into = gone.pop();
    if (into === undefined || gone.length === 0) return null;
    const total = cohorts.get(into)!;
    for (const cohort of gone) {
      for (const [armId, vector] of cohorts.get(cohort)!) {
        getOrInsert(total, armId, () => new ExactVector(vector.size)).addVector(vector, 1);
      }
      cohorts.delete(cohort);
      this.changed.get(experimentId)?.delete(cohort);
    }
    this.rolledUpTo.set(experimentId, into);
    this.touch(experimentId, into);
    return { experimentId, into, gone };
  }

  /** @returns what changed since the last call. */
  takeChanged(): ChangedSums[] {
    const taken = [...this.changed].flatMap(([experimentId, cohorts]) =>
      [...cohorts].map((cohort) => ({ ...this.named(experimentId, cohort), changedTogether: cohorts.size })),
    );
    this.changed = new Map();
    return taken;
  }

  *entries(): Generator<NamedSums> {
    for (const [experimentId, cohorts] of this.experiments) {
      for (const cohort of cohorts.keys()) yield this.named(experimentId, cohort);
    }
  }

  private named(experimentId: ExperimentId, cohort: number): NamedSums {
    const rolledUp = this.rolledUpTo.get(experimentId) === cohort;
    return { experimentId, cohort, rolledUp, sums: this.cohorts(experimentId).get(cohort)! };
  }

  private cohorts(experimentId: ExperimentId): Map<number, CohortSums> {
    return getOrInsert(this.experiments, experimentId, () => new Map());
  }
}

function addDelta(sums: ExactVector, { decision, slot, counted, before, after }: SumDelta): void {
  const cells = sums.beginRound();
  const u = before?.rewardUnits ?? null;
  const v = after.rewardUnits;
  const more = Number(v !== null) - Number(u !== null);
  const { features } = decision;
  const { propensity } = slot;
  cells[PULLS]! += before === null ? 1 : 0;
  cells[N]! += more;
  cells[SUM_R]! += (v ?? 0) - (u ?? 0);
  cells[SUM_RR]! += (v ?? 0) ** 2 - (u ?? 0) ** 2;
  cells[SUM_R_OVER_P]! += overPropensity(v ?? 0, propensity) - overPropensity(u ?? 0, propensity);
  const change = (v ?? 0) - (u ?? 0);
  if (counted === null) {
    addMoments(cells, features, more, change);
  } else {
    cells[VECTOR_START + counted.pattern]! += more;
    cells[VECTOR_START + counted.patterns + counted.pattern]! += change;
  }
}

function addDelay(sums: ExactVector, { tick, windowMs }: CountedDelay, { before, after }: SumDelta): void {
  const cells = sums.beginRound();
  if (before === null) cells[tick]! += 1;
  const had = before?.firstDelayMs ?? null;
  if (had !== null) cells[FIRST_REWARDS + delayBucket(had, windowMs)]! -= 1;
  const has = after.firstDelayMs;
  if (has !== null) cells[FIRST_REWARDS + delayBucket(has, windowMs)]! += 1;
}

/** Σ r·x and Σ x·xᵀ. @param more 1 when the decision counts now and did not, −1 when it is the other way round. */
function addMoments(cells: Float64Array, features: readonly number[], more: number, change: number): void {
  let cell = VECTOR_START;
  for (const x of features) cells[cell++]! += change * x;
  if (more === 0) return;
  for (let i = 0; i < features.length; i++) {
    const xi = more * features[i]!;
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
