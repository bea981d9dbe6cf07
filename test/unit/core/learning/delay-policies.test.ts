import { expect, it } from 'vitest';
import { Invalid } from '../../../../services/core/errors.ts';
import type { ArmId } from '../../../../services/core/events.ts';
import type { Experiment } from '../../../../services/core/experiment.ts';
import { MergedSums } from '../../../../services/core/learning/merge.ts';
import { buildParameters } from '../../../../services/core/learning/snapshot.ts';
import { type CohortSums, DELAYS } from '../../../../services/core/learning/sums.ts';
import { findPolicy, validateParameters } from '../../../../services/core/policies/registry.ts';
import { FEATURE_UNITS, REWARD_UNITS } from '../../../../services/core/quantize.ts';
import { DELAY_BUCKETS, DELAYS_SIZE, FIRST_REWARDS } from '../../../../services/core/sums/delays.ts';
import { ExactVector } from '../../../../services/core/sums/exact.ts';
import { gramStart, N, PULLS, SUM_R, SUM_RR, sumsLayout, VECTOR_START } from '../../../../services/core/sums/layout.ts';
import { experiment } from '../../../support/core.ts';
import { rewardSpec } from '../../../support/reward-spec.ts';

const LAYOUT = sumsLayout(2);

function corrected(...kinds: string[]): Experiment {
  return experiment({
    context: [{ kind: 'boolean', name: 'x' }],
    policies: kinds.map((kind) => ({ kind, parameters: validateParameters(findPolicy(kind), new Map()) })),
    reward: rewardSpec({ metrics: { click: { fold: 'max' } }, max: 1, delay: 'delay-corrected' }),
    attribution: { model: 'last-touch', windowMs: 600 },
    cohortMs: 10,
  });
}

/** Decisions of which some have the feature, and some of those are rewarded with all there is. */
function cohort(armId: string, [n, featured, rewarded]: readonly [number, number, number], bucket: number): CohortSums {
  const won = new ExactVector(LAYOUT.size);
  const cells = won.beginRound();
  cells[PULLS] = n;
  cells[N] = n;
  cells[SUM_R] = rewarded * REWARD_UNITS;
  cells[SUM_RR] = rewarded * REWARD_UNITS ** 2;
  cells.fill(rewarded * REWARD_UNITS * FEATURE_UNITS, VECTOR_START, gramStart(LAYOUT));
  cells.fill(featured * FEATURE_UNITS ** 2, gramStart(LAYOUT));
  cells[gramStart(LAYOUT)] = n * FEATURE_UNITS ** 2;
  const delays = new ExactVector(DELAYS_SIZE);
  const counts = delays.beginRound();
  counts[0] = n;
  counts[FIRST_REWARDS + bucket] = rewarded;
  return new Map([
    [armId as ArmId, won],
    [DELAYS, delays],
  ]);
}

it('policies learn from more reward than exposure, which chance may bring', () => {
  const kinds = ['linucb', 'linear-ts', 'linucb-hybrid', 'pucb', 'beta-ts', 'gaussian-ts', 'ucb1-tuned'];
  const sums = new MergedSums();
  sums.replace(0, 0, cohort('B', [1_000, 1_000, 100], DELAY_BUCKETS - 1));
  sums.replace(0, 100, cohort('A', [400, 15, 15], 0));
  const { arms, policies } = buildParameters(corrected(...kinds), sums);
  expect(arms[0]).toMatchObject({ n: 15, sumR: 15, pulls: 400 });
  const linear = policies[0]!.state.get('theta')!;
  // As if 15 of the 400 had been exposed, like all of them: less than one with the feature.
  expect(linear[0]).toBeLessThan(1);
  const learned = policies.flatMap(({ state }) => [...state.values()].flatMap((block) => [...block]));
  expect(learned.every(Number.isFinite)).toBe(true);
  expect([...policies[kinds.indexOf('pucb')]!.state.get('exposures')!].slice(0, 2)).toEqual([15, 15]);
});

it('exp3, which correcting would leave as it is, is refused with it', () => {
  expect(() => buildParameters(corrected('exp3'), new MergedSums())).toThrow(Invalid);
});
