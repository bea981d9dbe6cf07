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
  const newest = merged.newestCohort();
  if (newest === null) return armIds.map(() => new Float64Array(layout.size));
  // Added up as whole numbers, so that it makes no difference which of them are rolled up.
  const ofOneWeightBefore = forgetting === null ? matureBefore(experiment, newest) : ofOneAgeBefore(experiment);
  const cohorts = merged.cohorts(ofOneWeightBefore);
  const weights = weightsOf(experiment, forgetting, cohorts);
  const kinds = kindsOf(layout);
  const sums = armIds.map((armId) => weighed(armId, cohorts, weights, kinds));
  if (experiment.reward.delay !== 'delay-corrected') return sums;
  const asDealt = weights.map(({ pulls, rewards }) => ({ pulls, exposure: pulls, rewards }));
  return sums.map((cells, arm) =>
    cells[N]! >= cells[SUM_R]! && layout.patterns === 0
      ? cells
      : exposedForRewards(cells, weighed(armIds[arm]!, cohorts, asDealt, kinds), layout),
  );
}

function weighed(armId: ArmId, cohorts: Cohorts, weights: readonly Weights[], { layout, ofCell }: Kinds): Float64Array {
  const total = new Float64Array(layout.size);
  cohorts.forEach(([, sums], at) => {
    const vector = sums.get(armId);
    if (vector === undefined) return;
    const weight = weights[at]!;
    const cells = naturalSums(vector, layout);
    for (let i = 0; i < layout.size; i++) total[i]! += weight[ofCell[i]!] * cells[i]!;
  });
  return total;
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

/** Which of the weights is each cell's own. */
interface Kinds {
  readonly layout: SumsLayout;
  readonly ofCell: readonly (keyof Weights)[];
}

function kindsOf(layout: SumsLayout): Kinds {
  const kinds = new Array<keyof Weights>(layout.size).fill('rewards');
  kinds[PULLS] = 'pulls';
  kinds[N] = 'exposure';
  if (layout.patterns > 0) kinds.fill('exposure', VECTOR_START, VECTOR_START + layout.patterns);
  else kinds.fill('exposure', gramStart(layout));
  return { layout, ofCell: kinds };
}

/**
 * Whatever brought a reward was exposed: where chance brought more than was to come by now, so much of the rest counts as
 * exposed too that n is Σr, and n − Σr is max(0, Ñ − Σr). By pattern the same, each alone.
 * @param dealt with all of the exposure.
 */
function exposedForRewards(cells: Float64Array, dealt: Float64Array, layout: SumsLayout): Float64Array {
  const exposed = cells.slice();
  const lacking = Math.max(0, cells[SUM_R]! - cells[N]!);
  if (lacking > 0) {
    const share = lacking / (dealt[N]! - cells[N]!);
    for (let i = 0; i < layout.size; i++) exposed[i]! += share * (dealt[i]! - cells[i]!);
    exposed[N] = cells[SUM_R]!;
  }
  for (let pattern = 0; pattern < layout.patterns; pattern++) {
    const n = VECTOR_START + pattern;
    exposed[n] = Math.max(exposed[n]!, exposed[n + layout.patterns]!);
  }
  return exposed;
}
