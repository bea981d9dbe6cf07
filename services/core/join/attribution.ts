/**
 * Whose reward is whose, and what each decision is therefore worth: a pure function of the group's set.
 * A reward belongs, in each experiment that learns from its metric, to the last decision in log order that it fits.
 */
import type { ExperimentId } from '../events.ts';
import type { Experiment, RewardSpec } from '../experiment.ts';
import { quantizeReward } from '../quantize.ts';
import { type DecisionEntry, decisionReachMs, type Group, type JoinLimits, type RewardEntry } from './group.ts';

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

/** Where each reward record of the group stands; the four sum to its distinct records. */
export interface RewardStanding {
  joined: number;
  pending: number;
  /** Other revisions of a reward already counted. */
  duplicate: number;
  /** Revisions too late to reach the decision that owns the reward. */
  unmatched: number;
}

export interface Attribution {
  /** In the order of `group.decisions`. */
  readonly outcomes: readonly Outcome[];
  readonly rewards: RewardStanding;
  /** Owners of each reward, as indices into `group.decisions`, in the order of `group.rewards`. */
  readonly owners: readonly (readonly number[])[];
}

export function attribute(group: Group, experiments: Experiments, limits: JoinLimits): Attribution {
  const owned: RewardEntry[][] = group.decisions.map(() => []);
  const rewards: RewardStanding = { joined: 0, pending: 0, duplicate: 0, unmatched: 0 };
  const owners = group.rewards.map((reward) => {
    const indices = ownersOf(reward, group.decisions, experiments, limits);
    for (const index of indices) owned[index]!.push(reward);
    addStanding(
      rewards,
      reward,
      indices.map((index) => group.decisions[index]!),
      limits,
    );
    return indices;
  });
  const outcomes = group.decisions.map((decision, index) =>
    outcomeOf(decision, owned[index]!, experiments.get(decision.experimentId)!, limits),
  );
  return { outcomes, rewards, owners };
}

function ownersOf(
  reward: RewardEntry,
  decisions: readonly DecisionEntry[],
  experiments: Experiments,
  limits: JoinLimits,
): number[] {
  const last = new Map<ExperimentId, number>();
  decisions.forEach((decision, index) => {
    if (fits(reward, decision, experiments.get(decision.experimentId)!, limits)) last.set(decision.experimentId, index);
  });
  return [...last.values()];
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

function addStanding(
  standing: RewardStanding,
  reward: RewardEntry,
  owners: readonly DecisionEntry[],
  limits: JoinLimits,
): void {
  const reached = reward.records.filter(
    (record) => record.reachedDropped || owners.some((owner) => reaches(record.clockMs, owner, limits)),
  ).length;
  if (reached === 0) {
    standing.pending += 1;
    standing.duplicate += reward.records.length - 1;
  } else {
    standing.joined += 1;
    standing.duplicate += reached - 1;
    standing.unmatched += reward.records.length - reached;
  }
}

function outcomeOf(
  decision: DecisionEntry,
  owned: readonly RewardEntry[],
  experiment: Experiment,
  limits: JoinLimits,
): Outcome {
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
