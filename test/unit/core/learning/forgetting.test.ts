import { describe, expect, it } from 'vitest';
import type { ArmId } from '../../../../services/core/events.ts';
import type { Experiment, Forgetting } from '../../../../services/core/experiment.ts';
import { MergedSums } from '../../../../services/core/learning/merge.ts';
import { buildParameters } from '../../../../services/core/learning/snapshot.ts';
import { REWARD_UNITS } from '../../../../services/core/quantize.ts';
import { ExactVector } from '../../../../services/core/sums/exact.ts';
import { N, PULLS, SUM_R, SUM_RR, sumsLayout } from '../../../../services/core/sums/layout.ts';
import { experiment } from '../../../support/core.ts';

const A = 'A' as ArmId;
const COHORT_MS = 50;

/** `n` decisions that each earned all there is. */
function won(n: number): Map<ArmId, ExactVector> {
  const vector = new ExactVector(sumsLayout(0).size);
  const cells = vector.beginRound();
  cells[PULLS] = n;
  cells[N] = n;
  cells[SUM_R] = n * REWARD_UNITS;
  cells[SUM_RR] = n * REWARD_UNITS ** 2;
  return new Map([[A, vector]]);
}

function posteriorOf(forgetting: Forgetting | null, cohorts: readonly (readonly [cohort: number, n: number])[]) {
  const merged = new MergedSums();
  for (const [cohort, n] of cohorts) merged.replace(0, cohort, won(n));
  const definition: Experiment = experiment({ forgetting, cohortMs: COHORT_MS });
  const { policies, arms } = buildParameters(definition, merged);
  return { alpha: policies[0]!.state.get('alpha')![0]!, pulls: arms[0]!.pulls };
}

const COHORTS = [
  [10, 8],
  [11, 4],
  [13, 2],
] as const;

describe('forgetting', () => {
  it('counts all cohorts alike without it', () => {
    expect(posteriorOf(null, COHORTS).alpha).toBe(1 + 14);
  });

  it('halves what a cohort counts with each half-life of age from the newest one', () => {
    const forgetting: Forgetting = { kind: 'half-life', spanMs: COHORT_MS, sinceVersion: 1 };
    expect(posteriorOf(forgetting, COHORTS).alpha).toBe(1 + 2 + 4 / 4 + 8 / 8);
  });

  it('counts only cohorts within the window', () => {
    expect(posteriorOf({ kind: 'window', spanMs: 3 * COHORT_MS, sinceVersion: 1 }, COHORTS).alpha).toBe(1 + 2 + 4);
  });

  it('leaves the reported counts as they are, and gives the same bits in whatever order cohorts came', () => {
    const forgetting: Forgetting = { kind: 'half-life', spanMs: 70, sinceVersion: 1 };
    expect(posteriorOf(forgetting, COHORTS).pulls).toBe(14);
    expect(posteriorOf(forgetting, COHORTS.toReversed())).toEqual(posteriorOf(forgetting, COHORTS));
  });

  it('that begins later weighs old cohorts as of one age, whether or not a learner had rolled them up', () => {
    const DAY_MS = 86_400_000;
    const forgetting: Forgetting = { kind: 'half-life', spanMs: 30 * DAY_MS, sinceVersion: 2 };
    // From the 100th day on it forgets: what is older than 60 days by then, so cohorts 0 to 39, is of one age.
    const definition = experiment({ forgetting, version: 2, cohortMs: DAY_MS, appliedAtMs: [0, 100 * DAY_MS] });
    const apart = new MergedSums();
    for (let day = 0; day < 120; day++) for (const partition of [0, 1]) apart.replace(partition, day, won(day % 7));
    const rolledUp = new MergedSums();
    for (let day = 0; day < 120; day++) for (const partition of [0, 1]) rolledUp.replace(partition, day, won(day % 7));
    for (const [partition, through] of [
      [0, 38],
      [1, 17],
    ] as const) {
      const total = new ExactVector(sumsLayout(0).size);
      for (let day = 0; day <= through; day++) total.addVector(won(day % 7).get(A)!, 1);
      rolledUp.replaceUpTo(partition, through, new Map([[A, total]]));
    }
    const [a, b] = [apart, rolledUp].map((merged) => buildParameters(definition, merged).policies[0]!.state);
    expect(b).toEqual(a);
    const alwaysForgot = { ...definition, forgetting: { ...forgetting, sinceVersion: 1 } };
    expect(buildParameters(alwaysForgot, apart).policies[0]!.state).not.toEqual(a);
  });
});
