/**
 * From merged sums to the parameters that deciders serve from. A pure function of the definition and the sums:
 * the same logs give the same bits, whoever builds the snapshot and whenever.
 */
import type { ArmStatistics, PreparedPolicy, Statistics } from '../deciding/snapshot.ts';
import type { ArmId } from '../events.ts';
import type { Experiment, Forgetting } from '../experiment.ts';
import type { PolicyInput } from '../policies/policy.ts';
import { findPolicy } from '../policies/registry.ts';
import type { ExactVector } from '../sums/exact.ts';
import { N, PULLS, SUM_R, SUM_RR, type SumsLayout } from '../sums/layout.ts';
import { layoutSums } from './layout-sums.ts';
import type { MergedSums } from './merge.ts';
import { keptLayout, naturalSums } from './natural-sums.ts';
import { withPrior } from './prior.ts';
import { ofOneAgeBefore } from './roll-up.ts';
import { HOLDOUT } from './sums.ts';

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
  const counted = experiment.arms.map((arm) => naturalSums(sums.get(arm.id), layout));
  const { forgetting } = experiment;
  const weighed =
    forgetting === null
      ? counted
      : weighedSums(experiment, forgetting, merged.cohorts(ofOneAgeBefore(experiment)), layout);
  const known = withPrior(experiment, weighed, layout);
  const input: PolicyInput = {
    armIds: experiment.arms.map((arm) => arm.id),
    attributes: experiment.arms.map((arm) => arm.attributes),
    ...(experiment.layout === null
      ? { layout, sums: known }
      : layoutSums(known, experiment.layout, experiment.context)),
  };
  const newest = merged.newestCohort();
  return {
    clockMs: newest === null ? 0 : (newest + 1) * experiment.cohortMs,
    arms: counted.map((cells, index) => ({ armId: input.armIds[index]!, ...statisticsOf(cells) })),
    holdout: sums.has(HOLDOUT) ? statisticsOf(naturalSums(sums.get(HOLDOUT), layout)) : null,
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

/** @returns by arm, Σ weight · sums over the cohorts, the oldest first: always the same order, so the same bits. */
function weighedSums(
  { arms, cohortMs }: Experiment,
  forgetting: Forgetting,
  cohorts: ReturnType<MergedSums['cohorts']>,
  layout: SumsLayout,
): Float64Array[] {
  const newest = cohorts.at(-1)?.[0] ?? 0;
  const totals = arms.map(() => new Float64Array(layout.size));
  for (const [cohort, sums] of cohorts) {
    const weight = cohortWeight(forgetting, (newest - cohort) * cohortMs);
    arms.forEach((arm, index) => {
      const cells = naturalSums(sums.get(arm.id), layout);
      for (let i = 0; i < layout.size; i++) totals[index]![i]! += weight * cells[i]!;
    });
  }
  return totals;
}

function cohortWeight({ kind, spanMs }: Forgetting, ageMs: number): number {
  switch (kind) {
    case 'half-life':
      return 2 ** (-ageMs / spanMs);
    case 'window':
      return ageMs < spanMs ? 1 : 0;
  }
}
