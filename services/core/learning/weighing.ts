/**
 * Sums of cohorts weighed by age: by how late rewards come, and by forgetting. Sums themselves never change; the same
 * cohorts give the same bits. Not here: priors, which have no age.
 */
import type { ArmId } from '../events.ts';
import type { Experiment, Forgetting } from '../experiment.ts';
import { gramStart, N, PULLS, SUM_R, type SumsLayout, VECTOR_START } from '../sums/layout.ts';
import { matureBefore, shownShares } from './delay.ts';
import type { MergedSums } from './merge.ts';
import { keptLayout, naturalSums } from './natural-sums.ts';
import { ofOneAgeBefore } from './roll-up.ts';

type Cohorts = ReturnType<MergedSums['cohorts']>;

/** One for each kind of cell. */
interface Weights {
  /** Of slots dealt. */
  readonly pulls: number;
  /** Of slots that count: n, Σx·xᵀ and n by pattern. */
  readonly exposure: number;
  /** Of rewards: Σr and whatever else has r in it. */
  readonly rewards: number;
}

/**
 * @param forgetting `null` to count all ages alike.
 * @returns by arm, in natural units, Σ weight · sums over the cohorts, the oldest first.
 */
export function weighedSums(
  experiment: Experiment,
  merged: MergedSums,
  armIds: readonly ArmId[],
  forgetting: Forgetting | null,
): Float64Array[] {
  const layout = keptLayout(experiment);
  const totals = armIds.map(() => new Float64Array(layout.size));
  const newest = merged.newestCohort();
  if (newest === null) return totals;
  const kinds = kindsOf(layout);
  // Added up as whole numbers, so that it makes no difference which of them are rolled up.
  const ofOneWeightBefore = forgetting === null ? matureBefore(experiment, newest) : ofOneAgeBefore(experiment);
  const cohorts = merged.cohorts(ofOneWeightBefore);
  const weights = weightsOf(experiment, forgetting, cohorts);
  cohorts.forEach(([, sums], at) => {
    const weight = weights[at]!;
    armIds.forEach((armId, arm) => {
      const vector = sums.get(armId);
      if (vector === undefined) return;
      const cells = naturalSums(vector, layout);
      for (let i = 0; i < layout.size; i++) totals[arm]![i]! += weight[kinds[i]!] * cells[i]!;
    });
  });
  if (experiment.reward.delay === 'delay-corrected') for (const cells of totals) exposeRewarded(cells, layout);
  return totals;
}

function weightsOf(experiment: Experiment, forgetting: Forgetting | null, cohorts: Cohorts): Weights[] {
  const newest = cohorts.at(-1)![0];
  const kept = cohorts.map(([cohort]) =>
    forgetting === null ? 1 : keptShare(forgetting, (newest - cohort) * experiment.cohortMs),
  );
  switch (experiment.reward.delay) {
    case 'impute':
    case 'labelled':
      return kept.map((share) => ({ pulls: share, exposure: share, rewards: share }));
    case 'mature': {
      const before = matureBefore(experiment, newest);
      return kept.map((pulls, at) => {
        const share = cohorts[at]![0] < before ? pulls : 0;
        return { pulls, exposure: share, rewards: share };
      });
    }
    case 'delay-corrected': {
      const shown = shownShares(experiment, cohorts);
      return kept.map((share, at) => ({ pulls: share, exposure: share * shown[at]!, rewards: share }));
    }
  }
}

function keptShare({ kind, spanMs }: Forgetting, ageMs: number): number {
  switch (kind) {
    case 'half-life':
      return 2 ** (-ageMs / spanMs);
    case 'window':
      return ageMs < spanMs ? 1 : 0;
  }
}

/** By cell, which of the weights is its own. */
function kindsOf(layout: SumsLayout): (keyof Weights)[] {
  const kinds = new Array<keyof Weights>(layout.size).fill('rewards');
  kinds[PULLS] = 'pulls';
  kinds[N] = 'exposure';
  if (layout.patterns > 0) kinds.fill('exposure', VECTOR_START, VECTOR_START + layout.patterns);
  else kinds.fill('exposure', gramStart(layout));
  return kinds;
}

/** Rewards that came early by chance have been exposed for themselves at least, so that n − Σr is max(0, Ñ − Σr). */
function exposeRewarded(cells: Float64Array, { patterns }: SumsLayout): void {
  cells[N] = Math.max(cells[N]!, cells[SUM_R]!);
  for (let pattern = 0; pattern < patterns; pattern++) {
    const n = VECTOR_START + pattern;
    cells[n] = Math.max(cells[n]!, cells[n + patterns]!);
  }
}
