/**
 * What a snapshot says of its arms, in the units that people report rewards in. Learned rewards are scaled to [0, 1] by
 * the experiment's declared range; here they are scaled back: min + mean · (max − min).
 */
import type { DecisionOutcome } from '../core/deciding/decide.ts';
import type { ParametersSnapshot, Statistics } from '../core/deciding/snapshot.ts';
import type { Experiment } from '../core/experiment.ts';
import type { Served } from './served-experiments.ts';

export interface ExperimentStatistics {
  readonly experimentId: string;
  readonly algorithm: string;
  /** Slots dealt that the snapshot reflects, those of the holdout left out. */
  readonly totalPulls: number;
  /** The active arm with the greatest mean, an index; `null` while no active arm has a reward that counts. */
  readonly bestArm: number | null;
  /** Slots dealt, by arm in order of definition. */
  readonly armCounts: readonly number[];
  /** Mean reward less cost in raw units, by arm in order of definition; `null` while no reward of it counts. */
  readonly armValues: readonly (number | null)[];
  /** `null` where nothing is or was held out. */
  readonly holdout: HoldoutComparison | null;
}

/** What dealing as was learned is worth: the units of the holdout beside all others, over the same time. */
export interface HoldoutComparison {
  readonly heldOut: GroupStatistics;
  readonly others: GroupStatistics;
}

export interface GroupStatistics {
  /** Slots dealt. */
  readonly pulls: number;
  /** Those whose reward counts, or their effective exposure where delays are corrected for, … */
  readonly counted: number;
  /** … and their mean reward less cost in raw units; `null` while there are none. */
  readonly value: number | null;
}

/** Mean reward of each arm in raw units, in order of definition; NaN while no reward of it counts. */
export function armMeans({ arms, reward }: Experiment, snapshot: ParametersSnapshot | null): Float64Array {
  return Float64Array.from(arms, (_, index) => {
    const arm = snapshot?.arms[index];
    if (arm === undefined || arm.n <= 0) return Number.NaN;
    return reward.min + (arm.sumR / arm.n) * (reward.max - reward.min);
  });
}

export function statisticsOf({ deciding, held, means }: Served, algorithm: string): ExperimentStatistics {
  const { experiment } = deciding;
  const armCounts = experiment.arms.map((_, index) => held?.snapshot.arms[index]?.pulls ?? 0);
  const active = experiment.arms.flatMap((arm, index) => (arm.state === 'active' ? [index] : []));
  return {
    experimentId: experiment.id,
    algorithm,
    totalPulls: armCounts.reduce((total, count) => total + count, 0),
    bestArm: bestOf(means, active),
    armCounts,
    armValues: Array.from(means, (mean) => (Number.isNaN(mean) ? null : mean)),
    holdout: holdoutOf(experiment, held?.snapshot ?? null),
  };
}

function holdoutOf(experiment: Experiment, snapshot: ParametersSnapshot | null): HoldoutComparison | null {
  const holdout = snapshot?.holdout ?? null;
  if (holdout === null && experiment.holdout === null) return null;
  return {
    heldOut: groupOf(experiment, holdout === null ? [] : [holdout]),
    others: groupOf(experiment, snapshot?.arms ?? []),
  };
}

function groupOf({ reward }: Experiment, parts: readonly Statistics[]): GroupStatistics {
  const total = (cell: 'pulls' | 'n' | 'sumR') => parts.reduce((sum, part) => sum + part[cell], 0);
  const counted = total('n');
  const value = counted > 0 ? reward.min + (total('sumR') / counted) * (reward.max - reward.min) : null;
  return { pulls: total('pulls'), counted, value };
}

/**
 * An estimate of what one decision gave up: by slot, the best eligible arm's mean less the dealt arm's, by the statistics
 * held when it was decided; in raw units, at least 0. An arm that nothing is known of counts as the best.
 */
export function estimatedRegret(means: Float64Array, { slots }: Pick<DecisionOutcome, 'slots'>): number {
  return slots.reduce((regret, { armIndex, eligible }) => {
    const best = bestOf(means, eligible);
    const dealt = means[armIndex]!;
    return best === null || Number.isNaN(dealt) ? regret : regret + Math.max(0, means[best]! - dealt);
  }, 0);
}

function bestOf(means: Float64Array, among: readonly number[]): number | null {
  let best: number | null = null;
  for (const index of among) {
    if (Number.isNaN(means[index]!)) continue;
    if (best === null || means[index]! > means[best]!) best = index;
  }
  return best;
}
