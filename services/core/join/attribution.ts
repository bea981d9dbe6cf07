/**
 * Whose reward is whose, and what each decision is therefore worth: a pure function of the group's set, kept up by each
 * event at a cost that grows with the group and not with its square.
 * A reward belongs, in each experiment that learns from its metric, to the last decision in log order that it fits.
 */
import type { ExperimentId } from '../events.ts';
import type { Experiment, RewardSpec } from '../experiment.ts';
import { quantizeReward } from '../quantize.ts';
import {
  type DecisionEntry,
  decisionAt,
  decisionReachMs,
  type Group,
  type JoinLimits,
  type RewardEntry,
} from './group.ts';

export type Experiments = ReadonlyMap<ExperimentId, Experiment>;

/** What one decision contributes to the sums. */
export interface Outcome {
  /** Reward in reward units; `null` while the decision does not count. */
  readonly rewardUnits: number | null;
  /** The folded reward lay outside the declared range. */
  readonly clipped: boolean;
  /** At least one reward belongs to it. */
  readonly joined: boolean;
}

/** How many records of a reward stand where. */
export interface RewardStanding {
  readonly joined: number;
  readonly pending: number;
  /** Other revisions of a reward already counted. */
  readonly duplicate: number;
  /** Revisions too late to reach the decision that owns the reward. */
  readonly unmatched: number;
}

/** What an event may have moved: decisions by `seq`, rewards by place in the group. */
export interface Touched {
  readonly decisions: ReadonlySet<number>;
  readonly rewards: readonly number[];
}

/** Gives a new reward to its owners: in each experiment the last decision in log order that it fits. */
export function assign(group: Group, at: number, experiments: Experiments, limits: JoinLimits): Group {
  const reward = group.rewards[at]!;
  const last = new Map<ExperimentId, number>();
  for (const decision of group.decisions) {
    if (fits(reward, decision, experiments.get(decision.experimentId)!, limits)) {
      last.set(decision.experimentId, decision.seq);
    }
  }
  return { ...group, rewards: group.rewards.with(at, { ...reward, owners: [...last.values()] }) };
}

/** Gives the newest decision all rewards that fit it, taking them from the decision of its experiment that had them. */
export function claim(group: Group, experiments: Experiments, limits: JoinLimits): { group: Group; touched: Touched } {
  const decision = group.decisions.at(-1)!;
  const experiment = experiments.get(decision.experimentId)!;
  const decisions = new Set([decision.seq]);
  const claimed: number[] = [];
  const rewards = group.rewards.map((reward, at) => {
    if (!fits(reward, decision, experiment, limits)) return reward;
    const before = reward.owners.find((seq) => decisionAt(group, seq)!.experimentId === decision.experimentId);
    if (before !== undefined) decisions.add(before);
    claimed.push(at);
    return { ...reward, owners: [...reward.owners.filter((seq) => seq !== before), decision.seq] };
  });
  return { group: claimed.length === 0 ? group : { ...group, rewards }, touched: { decisions, rewards: claimed } };
}

function fits(reward: RewardEntry, decision: DecisionEntry, experiment: Experiment, limits: JoinLimits): boolean {
  const delayMs = reward.occurredAtMs - decision.decidedAtMs;
  return (
    reward.metric === experiment.reward.metric &&
    (reward.experimentId === null || reward.experimentId === decision.experimentId) &&
    (reward.decisionId === null || reward.decisionId === decision.decisionId) &&
    delayMs >= 0 &&
    delayMs <= experiment.attribution.windowMs &&
    decision.clockMs - reward.records[0].clockMs <= limits.earlyGraceMs &&
    reaches(reward.records[0].clockMs, decision, limits)
  );
}

/** Whether a record of a reward, by the log clocks, still changes the decision. */
export function reaches(recordClockMs: number, decision: DecisionEntry, limits: JoinLimits): boolean {
  return recordClockMs - decision.clockMs <= decisionReachMs(limits);
}

/** Where the records of one reward stand; the four sum to its distinct records. */
export function standingOf(group: Group, reward: RewardEntry, limits: JoinLimits): RewardStanding {
  const owners = reward.owners.map((seq) => decisionAt(group, seq)!);
  const reached = reward.records.filter(
    (record) => record.reachedDropped || owners.some((owner) => reaches(record.clockMs, owner, limits)),
  ).length;
  const records = reward.records.length;
  return reached === 0
    ? { joined: 0, pending: 1, duplicate: records - 1, unmatched: 0 }
    : { joined: 1, pending: 0, duplicate: reached - 1, unmatched: records - reached };
}

/** What a decision of the group is worth, by the rewards that belong to it. */
export function outcomeOf(
  group: Group,
  decision: DecisionEntry,
  experiments: Experiments,
  limits: JoinLimits,
): Outcome {
  const experiment = experiments.get(decision.experimentId)!;
  const owned = group.rewards.filter(({ owners }) => owners.includes(decision.seq));
  const joined = owned.length > 0;
  const values = owned
    .toSorted((a, b) => a.occurredAtMs - b.occurredAtMs || (a.rewardId < b.rewardId ? -1 : 1))
    .map((reward) => currentValue(reward, decision, limits))
    .filter((value) => value !== null);
  const { reward } = experiment;
  if (values.length === 0 && reward.missing.mode === 'labelled') return { rewardUnits: null, clipped: false, joined };
  const folded = values.length === 0 ? imputed(reward) : fold(reward.fold, values);
  const cost = reward.costAttribute === null ? 0 : armAttribute(experiment, decision, reward.costAttribute);
  return { ...scale(folded - cost, reward), joined };
}

function currentValue(reward: RewardEntry, decision: DecisionEntry, limits: JoinLimits): number | null {
  const reaching = reward.records.filter((record) => reaches(record.clockMs, decision, limits));
  return reaching.reduce((best, record) => (record.revision > best.revision ? record : best)).value;
}

function imputed(reward: RewardSpec): number {
  return reward.missing.mode === 'impute' ? reward.missing.value : 0;
}

function armAttribute(experiment: Experiment, decision: DecisionEntry, name: string): number {
  return experiment.arms.find((arm) => arm.id === decision.armId)?.attributes.get(name) ?? 0;
}

/** @param values at least one, in order of occurrence. */
function fold(kind: RewardSpec['fold'], values: readonly number[]): number {
  switch (kind) {
    case 'sum':
      return values.reduce((a, b) => a + b);
    case 'mean':
      return values.reduce((a, b) => a + b) / values.length;
    case 'max':
      return values.reduce((a, b) => Math.max(a, b));
    case 'min':
      return values.reduce((a, b) => Math.min(a, b));
    case 'first':
      return values[0]!;
    case 'last':
      return values.at(-1)!;
  }
}

/** Maps the declared range to [0, 1] and on to reward units. */
function scale(value: number, { min, max }: RewardSpec): { rewardUnits: number; clipped: boolean } {
  const scaled = (value - min) / (max - min);
  const bounded = Math.min(1, Math.max(0, scaled));
  return { rewardUnits: quantizeReward(bounded), clipped: bounded !== scaled };
}
