/** One plausible value of each kind of record. */
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import type {
  ArmId,
  Decision,
  DecisionId,
  ExperimentId,
  Reward,
  RewardId,
  UnitId,
} from '../../../services/core/events.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import { zeroCounts } from '../../../services/core/learning/counts.ts';
import { HOLDOUT } from '../../../services/core/learning/sums.ts';
import type { Tally } from '../../../services/core/learning/tally.ts';
import { ExactVector } from '../../../services/core/sums/exact.ts';
import { rewardSpec } from '../../support/reward-spec.ts';

export const NOON_MS = Date.UTC(2024, 1, 29, 12);
export const a1 = 'A1' as ArmId;
export const a2 = 'A2' as ArmId;
export const coupon = 'coupon' as ExperimentId;

export const decision: Decision = {
  decisionId: '018f-1' as DecisionId,
  experimentId: coupon,
  experimentVersion: 3,
  unitId: 'ünit/1' as UnitId,
  slots: [
    { armId: a1, propensity: 0.1 },
    { armId: a2, propensity: 0.5 },
  ],
  reason: 'bandit',
  policy: 'beta-ts',
  snapshotVersion: 2 ** 40,
  pendingExposures: 3,
  features: [1, -0.5, 2 ** -16, -16],
  decidedAtMs: NOON_MS,
};

export const reward: Reward = {
  rewardId: 'r1' as RewardId,
  revision: 2,
  unitId: 'u1' as UnitId,
  metric: 'ltv',
  value: 1 / 3,
  occurredAtMs: NOON_MS,
  decisionId: '018f-1' as DecisionId,
  experimentId: null,
  armId: a2,
};

export const experiment: Experiment = {
  id: coupon,
  version: 2,
  state: 'active',
  arms: [
    { id: a1, state: 'active', sinceVersion: 1, attributes: new Map([['cost', 35]]) },
    { id: a2, state: 'retired', sinceVersion: 2, attributes: new Map([['cost', 0]]) },
  ],
  layout: null,
  policies: [{ kind: 'beta-ts', parameters: new Map([['priorAlpha', 1]]) }],
  floor: 0.01,
  fallbackArmId: a1,
  slots: 3,
  holdout: { share: 0.1, armId: a1 },
  context: [
    { kind: 'boolean', name: 'is_high_value' },
    { kind: 'category', name: 'region', values: ['CN', 'US'] },
    { kind: 'number', name: 'age', mean: 40, scale: 15 },
    { kind: 'hash', name: 'campaign', buckets: 8 },
    { kind: 'cross', name: 'value_by_region', of: ['is_high_value', 'region'] },
  ],
  reward: rewardSpec({
    metrics: { ltv: { fold: 'last', default: 1.5 }, 'minutes-seen': { fold: 'mean' } },
    value: 'metric.ltv + 0.5 * metric["minutes-seen"] - arm.cost + (context.is_high_value ? context.age / 100 : 0)',
    max: 250,
  }),
  attribution: { model: 'last-touch', windowMs: 30 * 86_400_000 },
  cohortMs: 86_400_000,
  forgetting: { kind: 'half-life', spanMs: 604_800_000, sinceVersion: 2 },
  prior: [],
  pendingExposure: true,
  promotion: {
    label: '0123456789ab',
    tallies: 'tallies',
    cuts: [
      { offsets: { decisions: 3, rewards: 4 }, clocks: { decisions: NOON_MS, rewards: NOON_MS + 1 } },
      // Nothing came yet.
      { offsets: { decisions: 0, rewards: 0 }, clocks: { decisions: 0, rewards: 0 } },
    ],
  },
  appliedAtMs: [NOON_MS],
};

/** Its arms are those of a layout. */
export const page: Experiment = {
  ...experiment,
  arms: ['plain/none', 'plain/photo', 'loud/none', 'loud/photo'].map((id) => ({
    id: id as ArmId,
    state: 'active',
    sinceVersion: 1,
    attributes: new Map(),
  })),
  layout: {
    aspects: [
      { name: 'headline', variants: ['plain', 'loud'] },
      { name: 'image', variants: ['none', 'photo'] },
    ],
    crosses: [
      ['headline', 'image'],
      ['headline', 'region'],
    ],
  },
  fallbackArmId: 'plain/none' as ArmId,
  holdout: null,
  context: [{ kind: 'category', name: 'region', values: ['CN', 'US'] }],
  reward: rewardSpec({ metrics: { ltv: { fold: 'last' } }, max: 250 }),
};

export function vector(...cells: number[]): ExactVector {
  const sums = new ExactVector(cells.length);
  const lo = sums.beginRound();
  cells.forEach((cell, index) => {
    lo[index]! += cell;
  });
  sums.normalize();
  return sums;
}

const cut = {
  partition: 3,
  partitions: 7,
  offsets: { decisions: 10, rewards: 2 ** 40 },
  clocks: { decisions: NOON_MS, rewards: 0 },
};

export const sumsTally = {
  ...cut,
  kind: 'sums',
  experimentId: coupon,
  cohort: 19_782,
  rolledUp: false,
  changedTogether: 2,
  sums: new Map([
    [a1, vector(1, -2, 2 ** 40)],
    [a2, vector(2 ** 39, 0, 5)],
    [HOLDOUT, vector(3, 1, 0)],
  ]),
} satisfies Tally;

export const progressTally = {
  ...cut,
  kind: 'progress',
  counts: { ...zeroCounts(), decisionsIn: 4, decisionsJoined: 4 },
  lines: ['coupon#0123456789ab' as ExperimentId],
} satisfies Tally;

export const snapshot: ParametersSnapshot = {
  experimentId: coupon,
  experimentVersion: 2,
  version: 12,
  digest: 'ab'.repeat(32),
  clockMs: NOON_MS,
  offsets: [
    { partition: 0, decisions: 5, rewards: 0 },
    { partition: 2, decisions: 6, rewards: 1 },
  ],
  arms: [
    { armId: a1, pulls: 7, n: 6.5, sumR: 0.1 + 0.2, sumRR: 0.25 },
    { armId: a2, pulls: 0, n: 0, sumR: 0, sumRR: 0 },
  ],
  holdout: { pulls: 3, n: 2, sumR: 0.5, sumRR: 0.125 },
  policies: [
    {
      kind: 'beta-ts',
      parameters: new Map([
        ['priorAlpha', 1],
        ['priorBeta', 2],
      ]),
      state: new Map([
        ['alpha', Float64Array.of(1, Math.PI)],
        ['beta', Float64Array.of(2, -0.5)],
      ]),
    },
  ],
};
