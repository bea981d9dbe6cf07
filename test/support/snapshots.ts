/** Snapshots for tests of what reads them. */
import { snapshotDigest } from '../../services/contracts/digest.ts';
import type { ParametersSnapshot } from '../../services/core/deciding/snapshot.ts';
import type { Experiment } from '../../services/core/experiment.ts';
import { MergedSums } from '../../services/core/learning/merge.ts';
import { buildParameters } from '../../services/core/learning/snapshot.ts';

/** Of an experiment that nothing happened in: its priors. */
export function snapshotOf(experiment: Experiment, { version }: { readonly version: number }): ParametersSnapshot {
  const built = buildParameters(experiment, new MergedSums());
  return {
    experimentId: experiment.id,
    experimentVersion: experiment.version,
    version,
    digest: snapshotDigest({
      experimentId: experiment.id,
      experimentVersion: experiment.version,
      armIds: experiment.arms.map(({ id }) => id),
      sums: built.sums,
      policies: built.policies,
    }),
    clockMs: built.clockMs,
    offsets: [],
    arms: built.arms,
    holdout: built.holdout,
    policies: built.policies,
  };
}
