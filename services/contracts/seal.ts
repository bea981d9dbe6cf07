/**
 * A whole snapshot out of merged sums: parameters built by the core, sealed with their digest.
 */
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import type { PerStream } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import type { MergedSums } from '../core/learning/merge.ts';
import { buildParameters } from '../core/learning/snapshot.ts';
import { snapshotDigest } from './digest.ts';

/**
 * @param cuts next offsets reflected, by input partition.
 * @throws Corrupt when the sums cannot be what the learner keeps.
 */
export function sealSnapshot(
  experiment: Experiment,
  merged: MergedSums,
  cuts: ReadonlyMap<number, PerStream>,
): ParametersSnapshot {
  const { clockMs, arms, holdout, policies, sums } = buildParameters(experiment, merged);
  const offsets = [...cuts].sort(([a], [b]) => a - b).map(([partition, cut]) => ({ partition, ...cut }));
  const armIds = experiment.arms.map((arm) => arm.id);
  return {
    experimentId: experiment.id,
    experimentVersion: experiment.version,
    version: offsets.reduce((total, cut) => total + cut.decisions + cut.rewards, 0),
    digest: snapshotDigest({
      experimentId: experiment.id,
      experimentVersion: experiment.version,
      armIds,
      sums,
      policies,
    }),
    clockMs,
    offsets,
    arms,
    holdout,
    policies,
  };
}
