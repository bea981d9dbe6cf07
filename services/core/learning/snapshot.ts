/**
 * From merged sums to the parameters that deciders serve from. A pure function of the definition and the sums:
 * the same logs give the same bits, whoever builds the snapshot and whenever.
 */
import type { ArmStatistics, PreparedPolicy, Statistics } from '../deciding/snapshot.ts';
import type { ArmId } from '../events.ts';
import type { Experiment } from '../experiment.ts';
import type { PolicyInput } from '../policies/policy.ts';
import { findPolicy } from '../policies/registry.ts';
import type { ExactVector } from '../sums/exact.ts';
import { N, PULLS, SUM_R, SUM_RR } from '../sums/layout.ts';
import { layoutSums } from './layout-sums.ts';
import type { MergedSums } from './merge.ts';
import { keptLayout, naturalSums } from './natural-sums.ts';
import { withPrior } from './prior.ts';
import { HOLDOUT } from './sums.ts';
import { weighedSums } from './weighing.ts';

export interface BuiltParameters {
  /** Event time up to which the sums reach: the end of the newest cohort; 0 when there is none. */
  readonly clockMs: number;
  readonly arms: readonly ArmStatistics[];
  /** `null` while there is none. */
  readonly holdout: Statistics | null;
  readonly policies: readonly PreparedPolicy[];
  /** The exact sums behind them, by arm, for the digest. */
  readonly sums: ReadonlyMap<ArmId, ExactVector>;
}

/** @throws Corrupt when the sums cannot be what the learner keeps; keep serving the last good snapshot then. */
export function buildParameters(experiment: Experiment, merged: MergedSums): BuiltParameters {
  const layout = keptLayout(experiment);
  const sums = merged.total();
  const { forgetting } = experiment;
  const armIds = experiment.arms.map((arm) => arm.id);
  const counted = countedSums(experiment, merged, sums, [...armIds, HOLDOUT]);
  const weighed = forgetting === null ? counted.slice(0, -1) : weighedSums(experiment, merged, armIds, forgetting);
  const known = withPrior(experiment, weighed, layout);
  const input: PolicyInput = {
    armIds,
    ...(experiment.reward.delay === 'delay-corrected' ? { delayCorrected: true } : {}),
    attributes: experiment.arms.map((arm) => arm.attributes),
    ...(experiment.layout === null
      ? { layout, sums: known }
      : layoutSums(known, experiment.layout, experiment.context)),
  };
  const newest = merged.newestCohort();
  return {
    clockMs: newest === null ? 0 : (newest + 1) * experiment.cohortMs,
    arms: armIds.map((armId, index) => ({ armId, ...statisticsOf(counted[index]!) })),
    holdout: sums.has(HOLDOUT) ? statisticsOf(counted.at(-1)!) : null,
    policies: experiment.policies.map(({ kind, parameters }) => ({
      kind,
      parameters,
      state: findPolicy(kind).prepare(input, parameters),
    })),
    sums,
  };
}

function statisticsOf(cells: Float64Array): Statistics {
  return { pulls: cells[PULLS]!, n: cells[N]!, sumR: cells[SUM_R]!, sumRR: cells[SUM_RR]! };
}

/** @param total over all cohorts. @returns by arm, what counts by the experiment's way with delays, of all ages alike. */
function countedSums(
  experiment: Experiment,
  merged: MergedSums,
  total: ReadonlyMap<ArmId, ExactVector>,
  armIds: readonly ArmId[],
): Float64Array[] {
  switch (experiment.reward.delay) {
    case 'impute':
    case 'labelled': {
      const layout = keptLayout(experiment);
      return armIds.map((armId) => naturalSums(total.get(armId), layout));
    }
    case 'mature':
    case 'delay-corrected':
      return weighedSums(experiment, merged, armIds, null);
  }
}
