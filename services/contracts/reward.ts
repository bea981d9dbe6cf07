/** Rewards between their core type and their Avro record; both directions check. */
import type { ArmId, DecisionId, ExperimentId, Reward, RewardId, UnitId } from '../core/events.ts';
import { finite, text, timeMs, whole } from './checks.ts';

export interface RewardRecord {
  readonly rewardId: string;
  readonly revision: number;
  readonly unitId: string;
  readonly metric: string;
  readonly value: number | null;
  readonly occurredAtMs: number;
  readonly decisionId: string | null;
  readonly experimentId: string | null;
  readonly armId: string | null;
}

export function toReward(reward: Reward): RewardRecord {
  return fromReward(reward);
}

export function fromReward(raw: RewardRecord): Reward {
  return {
    rewardId: text('rewardId', raw.rewardId) as RewardId,
    revision: whole('revision', raw.revision, { min: 0 }),
    unitId: text('unitId', raw.unitId) as UnitId,
    metric: text('metric', raw.metric),
    value: raw.value === null ? null : finite('value', raw.value),
    occurredAtMs: timeMs('occurredAtMs', raw.occurredAtMs),
    decisionId: raw.decisionId === null ? null : (text('decisionId', raw.decisionId) as DecisionId),
    experimentId: raw.experimentId === null ? null : (text('experimentId', raw.experimentId) as ExperimentId),
    armId: raw.armId === null ? null : (text('armId', raw.armId) as ArmId),
  };
}
