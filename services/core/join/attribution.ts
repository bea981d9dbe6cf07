/**
 * Whose reward is whose: a pure function of the group's set, kept up by each event at a cost that grows with the group
 * and not with its square.
 * In each experiment that learns from its metric a reward belongs, of the decisions that it fits, to the last in log order,
 * to the first, or to every one.
 */
import type { ExperimentId } from '../events.ts';
import type { AttributionModel, Experiment } from '../experiment.ts';
import {
  type DecisionEntry,
  decisionAt,
  decisionReachMs,
  type Group,
  hasId,
  type JoinLimits,
  type RewardEntry,
} from './group.ts';

export type Experiments = ReadonlyMap<ExperimentId, Experiment>;

/** So many of the decisions of one experiment, the last ones, may own the same reward under `every-decision`. */
export const OWNERS_MAX = 100;

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

/** Who owns what after an event. */
export interface Settled {
  readonly group: Group;
  /** How many decisions a reward fits beyond the most that may own it. */
  readonly passedOver: number;
}

/** Gives a new reward to its owners among the decisions that are there. */
export function assign(group: Group, at: number, experiments: Experiments, limits: JoinLimits): Settled {
  const reward = group.rewards[at]!;
  const fitting = new Map<ExperimentId, number[]>();
  for (const decision of group.decisions) {
    const { experimentId, seq } = decision;
    if (!fits(reward, decision, experiments.get(experimentId)!, limits)) continue;
    const known = fitting.get(experimentId);
    if (known === undefined) fitting.set(experimentId, [seq]);
    else known.push(seq);
  }
  const owners: number[] = [];
  let passedOver = 0;
  for (const [id, seqs] of fitting) {
    const { model } = experiments.get(id)!.attribution;
    owners.push(...ownersAmong(seqs, model));
    if (model === 'every-decision') passedOver += Math.max(0, seqs.length - OWNERS_MAX);
  }
  owners.sort((a, b) => a - b);
  return { group: { ...group, rewards: group.rewards.with(at, { ...reward, owners }) }, passedOver };
}

/** Gives the newest decision the rewards that become its own, some of them taken from others of its experiment. */
export function claim(
  group: Group,
  experiments: Experiments,
  limits: JoinLimits,
): Settled & { readonly touched: Touched } {
  const decision = group.decisions.at(-1)!;
  const experiment = experiments.get(decision.experimentId)!;
  const decisions = new Set([decision.seq]);
  const { model } = experiment.attribution;
  const claimed = new Map<number, RewardEntry>();
  let passedOver = 0;
  group.rewards.forEach((reward, at) => {
    if (!fits(reward, decision, experiment, limits)) return;
    const had = reward.owners.filter((seq) => decisionAt(group, seq)!.experimentId === decision.experimentId);
    const has = ownersAmong([...had, decision.seq], model);
    if (!has.includes(decision.seq)) return;
    const lost = had.filter((seq) => !has.includes(seq));
    for (const seq of lost) decisions.add(seq);
    if (model === 'every-decision') passedOver += lost.length;
    claimed.set(at, { ...reward, owners: [...reward.owners.filter((seq) => !lost.includes(seq)), decision.seq] });
  });
  const touched = { decisions, rewards: [...claimed.keys()] };
  if (claimed.size === 0) return { group, touched, passedOver };
  return {
    group: { ...group, rewards: group.rewards.map((reward, at) => claimed.get(at) ?? reward) },
    touched,
    passedOver,
  };
}

/**
 * @param fitting decisions of one experiment, in log order; it makes no difference if some before them, that were not
 * chosen then, are left out.
 */
function ownersAmong(fitting: readonly number[], model: AttributionModel): readonly number[] {
  switch (model) {
    case 'last-touch':
      return fitting.slice(-1);
    case 'first-touch':
      return fitting.slice(0, 1);
    case 'every-decision':
      return fitting.slice(-OWNERS_MAX);
  }
}

function fits(
  { facts, records: [first] }: RewardEntry,
  decision: DecisionEntry,
  experiment: Experiment,
  limits: JoinLimits,
): boolean {
  const delayMs = facts.occurredAtMs - decision.decidedAtMs;
  // First what tells most of a busy unit's entries apart.
  return (
    decision.clockMs - first.clockMs <= limits.earlyGraceMs &&
    reaches(first.clockMs, decision, limits) &&
    delayMs >= 0 &&
    delayMs <= experiment.attribution.windowMs &&
    experiment.reward.metrics.has(facts.metric) &&
    (facts.experimentId === null || facts.experimentId === decision.experimentId) &&
    (facts.decisionId === null || hasId(decision, facts.decisionId)) &&
    (facts.armId === null || decision.slots.some((slot) => slot.armId === facts.armId))
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

/** @returns the rewards of each of the decisions that has any, by `seq`. */
export function ownedBy({ rewards }: Group, decisions: ReadonlySet<number>): Map<number, RewardEntry[]> {
  const owned = new Map<number, RewardEntry[]>();
  if (rewards.length === 0) return owned;
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const seq of decisions) {
    first = Math.min(first, seq);
    last = Math.max(last, seq);
  }
  for (const reward of rewards) {
    const { owners } = reward;
    if (owners.length === 0 || owners[0]! > last || owners.at(-1)! < first) continue;
    for (const seq of owners) {
      if (!decisions.has(seq)) continue;
      const known = owned.get(seq);
      if (known === undefined) owned.set(seq, [reward]);
      else known.push(reward);
    }
  }
  return owned;
}
