/**
 * Builders for core tests, and the oracle: a partition learned in memory, one event at a time.
 */
import type {
  ArmId,
  Decision,
  DecisionId,
  ExperimentId,
  InputEvent,
  Reward,
  RewardId,
  UnitId,
} from '../../services/core/events.ts';
import type { Experiment } from '../../services/core/experiment.ts';
import { emptyGroup, type Group, type JoinLimits, lowClock } from '../../services/core/join/group.ts';
import { type Counts, unaccounted } from '../../services/core/learning/counts.ts';
import {
  type Change,
  expire,
  handleDecision,
  handleReward,
  learnedFrom,
  PartitionState,
  type Rules,
} from '../../services/core/learning/partition.ts';
import type { PartitionSums } from '../../services/core/learning/sums.ts';
import { rewardSpec } from './reward-spec.ts';

/** When the tests' world begins, on the log's clock and everybody's. */
export const T0 = Date.UTC(2026, 0, 1);

export const LIMITS: JoinLimits = {
  windowMs: 100,
  graceMs: 20,
  earlyGraceMs: 20,
  unitEventsMax: 200,
  unitSpanMs: 1_000,
};

export function experiment(overrides: Partial<Experiment> & { id?: ExperimentId } = {}): Experiment {
  return {
    id: 'coupon' as ExperimentId,
    version: 1,
    state: 'active',
    arms: ['A', 'B'].map((id) => ({ id: id as ArmId, state: 'active', sinceVersion: 1, attributes: new Map() })),
    layout: null,
    policies: [
      {
        kind: 'beta-ts',
        parameters: new Map([
          ['priorAlpha', 1],
          ['priorBeta', 1],
        ]),
      },
    ],
    floor: 0,
    fallbackArmId: 'A' as ArmId,
    slots: 1,
    holdout: null,
    context: [],
    reward: rewardSpec(),
    attribution: { model: 'last-touch', windowMs: 100 },
    cohortMs: 50,
    forgetting: null,
    prior: [],
    pendingExposure: true,
    promotion: null,
    appliedAtMs: [0],
    ...overrides,
  };
}

/** @param overrides `arms` to deal several: propensities 1/2, 1/3, … */
export function decision(
  overrides: {
    id?: string;
    unit?: string;
    arm?: string;
    arms?: readonly string[];
    atMs?: number;
  } & Partial<Decision> = {},
): Decision {
  const { id = 'd1', unit = 'u', arm = 'A', arms = [arm], atMs = T0, ...rest } = overrides;
  return {
    decisionId: id as DecisionId,
    experimentId: 'coupon' as ExperimentId,
    experimentVersion: 1,
    unitId: unit as UnitId,
    slots: arms.map((armId, at) => ({ armId: armId as ArmId, propensity: 1 / (2 + at) })),
    reason: 'bandit',
    policy: 'beta-ts',
    snapshotVersion: 0,
    pendingExposures: 0,
    features: [],
    decidedAtMs: atMs,
    ...rest,
  };
}

export function reward(
  overrides: { id?: string; unit?: string; atMs?: number; decision?: string; arm?: string } & Partial<Reward> = {},
): Reward {
  const { id = 'r1', unit = 'u', atMs = T0 + 10, decision: of, arm, ...rest } = overrides;
  return {
    rewardId: id as RewardId,
    revision: 0,
    unitId: unit as UnitId,
    metric: 'click',
    value: 1,
    occurredAtMs: atMs,
    decisionId: (of ?? null) as DecisionId | null,
    experimentId: null,
    armId: (arm ?? null) as ArmId | null,
    ...rest,
  };
}

export function rules(...experiments: Experiment[]): Rules {
  const defined = experiments.length === 0 ? [experiment()] : experiments;
  return { experiments: new Map(defined.map((one) => [one.id, one])), limits: LIMITS };
}

/** Learns events in the order given. `drop` says when to look for what has run out; the oracle never does. */
export class Oracle {
  readonly state = new PartitionState();
  readonly groups = new Map<UnitId, Group>();
  private readonly rules: Rules;

  constructor(rules: Rules) {
    this.rules = rules;
  }

  learn(event: InputEvent): void {
    const { stream } = event;
    const clockMs = this.state.observe(stream, this.state.offsets[stream] + 1, event.clockMs);
    const { unitId } = stream === 'decisions' ? event.decision : event.reward;
    const group = this.groups.get(unitId) ?? emptyGroup(unitId);
    const handled =
      stream === 'decisions'
        ? handleDecision(group, event.decision, clockMs, this.rules)
        : handleReward(group, event.reward, clockMs, this.rules);
    this.apply({ group: handled.group, ...learnedFrom(handled, this.rules) });
  }

  drop(): void {
    for (const group of this.groups.values()) this.apply(expire(group, lowClock(this.state.clocks), this.rules));
  }

  /** The sums as comparable text: every cell of every arm of every cohort. */
  sums(): string[] {
    return cellsOf(this.state.sums);
  }

  private apply(change: Change): void {
    this.groups.set(change.group.unitId, change.group);
    this.state.apply(change);
  }
}

/** Pending and expired, and pending and unmatched, are one column for an oracle that never drops. */
export function settledCounts(counts: Counts): Record<string, number> {
  return {
    decisionsIn: counts.decisionsIn,
    decisionsJoined: counts.decisionsJoined,
    decisionsOpen: counts.decisionsPending + counts.decisionsExpired,
    decisionsDuplicate: counts.decisionsDuplicate,
    decisionsCrowded: counts.decisionsCrowded,
    rewardsIn: counts.rewardsIn,
    rewardsJoined: counts.rewardsJoined,
    rewardsOpen: counts.rewardsPending + counts.rewardsUnmatched,
    rewardsDuplicate: counts.rewardsDuplicate,
    rewardsCrowded: counts.rewardsCrowded,
    clipped: counts.clipped,
    passedOver: counts.passedOver,
    unaccounted: unaccounted(counts, 'decisions') + unaccounted(counts, 'rewards'),
  };
}

/** Every cell of every arm of every cohort, as comparable text. */
export function cellsOf(sums: PartitionSums): string[] {
  return [...sums.entries()]
    .flatMap(({ experimentId, cohort, sums: arms }) =>
      [...arms].map(([armId, vector]) => {
        vector.normalize();
        return `${experimentId}/${cohort}/${armId} hi=${vector.hi.join()} lo=${vector.lo.join()}`;
      }),
    )
    .sort();
}
