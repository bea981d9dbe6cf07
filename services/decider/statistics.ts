/**
 * What a snapshot says of its arms, in the units that people report rewards in. Learned rewards are scaled to [0, 1] by
 * the experiment's declared range; here they are scaled back: min + mean · (max − min).
 */
import type { DecisionOutcome } from '../core/deciding/decide.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import type { Experiment } from '../core/experiment.ts';
import type { Served } from './served-experiments.ts';

export interface ExperimentStatistics {
  readonly experimentId: string;
  readonly algorithm: string;
  /** Decisions that the snapshot reflects. */
  readonly totalPulls: number;
  /** The active arm with the greatest mean, an index; `null` while no active arm has a reward that counts. */
  readonly bestArm: number | null;
  /** Decisions dealt, by arm in order of definition. */
  readonly armCounts: readonly number[];
  /** Mean reward less cost in raw units, by arm in order of definition; `null` while no reward of it counts. */
  readonly armValues: readonly (number | null)[];
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
  };
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
