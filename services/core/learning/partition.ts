/**
 * The state machine of one input partition. `handle…` proposes a change and touches nothing; `apply` is the only writer.
 * Live, restart, rebuild and replay run the same two. Owns offsets, log clocks, books and sums; the groups it works on
 * are lent to it by whoever keeps them.
 */
import type { Decision, PerStream, Reward, Stream } from '../events.ts';
import type { Experiment } from '../experiment.ts';
import { contextDimension } from '../experiment.ts';
import { type Attribution, attribute, type Experiments, type Outcome, reaches } from '../join/attribution.ts';
import {
  addDecision,
  addReward,
  type DecisionEntry,
  decisionDueMs,
  type Group,
  type JoinLimits,
  type RewardEntry,
  rewardDueMs,
} from '../join/group.ts';
import { quantizeFeature } from '../quantize.ts';
import { addCounts, type Counts, zeroCounts } from './counts.ts';
import { refuseToLearn } from './refusals.ts';
import { PartitionSums, type SumDelta } from './sums.ts';

/** What the pure functions may know besides the group. */
export interface Rules {
  readonly experiments: Experiments;
  readonly limits: JoinLimits;
}

export interface Change {
  /** The group as it will be. */
  readonly group: Group;
  readonly deltas: readonly SumDelta[];
  readonly counts: Partial<Counts>;
}

export class PartitionState {
  offsets: PerStream = { decisions: 0, rewards: 0 };
  clocks: PerStream = { decisions: 0, rewards: 0 };
  readonly counts: Counts = zeroCounts();
  readonly sums = new PartitionSums();

  /**
   * Takes note of a record read. @returns its log clock: the running maximum of append times in its stream.
   */
  observe(stream: Stream, nextOffset: number, appendTimeMs: number): number {
    const clockMs = Math.max(this.clocks[stream], appendTimeMs);
    this.offsets = { ...this.offsets, [stream]: nextOffset };
    this.clocks = { ...this.clocks, [stream]: clockMs };
    return clockMs;
  }

  apply(change: Pick<Change, 'deltas' | 'counts'>): void {
    addCounts(this.counts, change.counts);
    for (const delta of change.deltas) this.sums.apply(delta);
  }
}

/** @throws Invalid when the decision can never be learned from: dead-letter it. */
export function handleDecision(group: Group, decision: Decision, clockMs: number, rules: Rules): Change {
  const entry = decisionEntry(decision, clockMs, rules.experiments);
  // Nobody saw its arm, so no reward can be its own: settled from the start, and no trace of it in group or sums.
  if (decision.reason === 'shadow') return { group, deltas: [], counts: { decisionsIn: 1, decisionsExpired: 1 } };
  const after = addDecision(group, entry, rules.limits);
  if (after === null) return { group, deltas: [], counts: { decisionsIn: 1, decisionsDuplicate: 1 } };
  return difference(group, after, { decisionsIn: 1 }, rules);
}

export function handleReward(group: Group, reward: Reward, clockMs: number, rules: Rules): Change {
  const { group: after, repeated } = addReward(group, rewardEntry(reward, clockMs), rules.limits);
  if (repeated) return { group: after, deltas: [], counts: { rewardsIn: 1, rewardsDuplicate: 1 } };
  return difference(group, after, { rewardsIn: 1 }, rules);
}

export function deadLettered(stream: Stream): Partial<Counts> {
  return stream === 'decisions'
    ? { decisionsIn: 1, decisionsDeadLettered: 1 }
    : { rewardsIn: 1, rewardsDeadLettered: 1 };
}

/** Drops what nothing still to come can touch. What was learned from it stays learned, so there are no deltas. */
export function expire(group: Group, lowClockMs: number, rules: Rules): Change {
  const { limits } = rules;
  const before = attribute(group, rules.experiments, limits);
  const keeps = group.decisions.map((entry) => decisionDueMs(entry, limits) >= lowClockMs);
  const expired = before.outcomes.filter((outcome, index) => !keeps[index] && !outcome.joined).length;
  const settled = group.rewards.map((reward, index) =>
    settle(
      reward,
      before.owners[index]!.filter((owner) => !keeps[owner]).map((owner) => group.decisions[owner]!),
      limits,
    ),
  );
  const rewards = settled.filter((reward) => rewardDueMs(reward, limits) >= lowClockMs);
  const unmatched = settled.filter(
    (reward, index) =>
      rewardDueMs(reward, limits) < lowClockMs &&
      before.owners[index]!.length === 0 &&
      reward.records.every((record) => !record.reachedDropped),
  ).length;
  return {
    group: { ...group, decisions: group.decisions.filter((_, index) => keeps[index]), rewards },
    deltas: [],
    counts: {
      decisionsPending: -expired,
      decisionsExpired: expired,
      rewardsPending: -unmatched,
      rewardsUnmatched: unmatched,
    },
  };
}

/** Remembers on the reward that its decision is gone, so that it is neither pending nor anybody else's. */
function settle(reward: RewardEntry, dropped: readonly DecisionEntry[], limits: JoinLimits): RewardEntry {
  if (dropped.length === 0) return reward;
  const [first, ...others] = reward.records.map((record) => ({
    ...record,
    reachedDropped: record.reachedDropped || dropped.some((owner) => reaches(record.clockMs, owner, limits)),
  }));
  return { ...reward, records: [first!, ...others] };
}

/** delta = contributions(after) − contributions(before). */
function difference(before: Group, after: Group, received: Partial<Counts>, rules: Rules): Change {
  const was = attribute(before, rules.experiments, rules.limits);
  const is = attribute(after, rules.experiments, rules.limits);
  const deltas: SumDelta[] = [];
  after.decisions.forEach((decision, index) => {
    const outcome = is.outcomes[index]!;
    const previous = was.outcomes[index] ?? null;
    if (previous !== null && previous.rewardUnits === outcome.rewardUnits) return;
    deltas.push({ decision, cohort: cohortOf(decision, rules.experiments), before: previous, after: outcome });
  });
  return { group: after, deltas, counts: { ...received, ...countsDifference(was, is) } };
}

function countsDifference(was: Attribution, is: Attribution): Partial<Counts> {
  const joined = (outcomes: readonly Outcome[]) => outcomes.filter((outcome) => outcome.joined).length;
  const clipped = (outcomes: readonly Outcome[]) => outcomes.filter((outcome) => outcome.clipped).length;
  const decisionsJoined = joined(is.outcomes) - joined(was.outcomes);
  return {
    decisionsJoined,
    decisionsPending: is.outcomes.length - was.outcomes.length - decisionsJoined,
    rewardsJoined: is.rewards.joined - was.rewards.joined,
    rewardsPending: is.rewards.pending - was.rewards.pending,
    rewardsDuplicate: is.rewards.duplicate - was.rewards.duplicate,
    rewardsUnmatched: is.rewards.unmatched - was.rewards.unmatched,
    clipped: clipped(is.outcomes) - clipped(was.outcomes),
  };
}

function cohortOf(decision: DecisionEntry, experiments: Experiments): number {
  return Math.floor(decision.decidedAtMs / experiments.get(decision.experimentId)!.cohortMs);
}

function decisionEntry(decision: Decision, clockMs: number, experiments: Experiments): DecisionEntry {
  const experiment = experiments.get(decision.experimentId);
  if (experiment === undefined) {
    refuseToLearn('unknown-experiment', `decision ${decision.decisionId}: no experiment ${decision.experimentId}`);
  }
  assertVersionApplied(decision, clockMs, experiment);
  const [slot, ...others] = decision.slots;
  if (slot === undefined || others.length > 0) {
    refuseToLearn('slots', `decision ${decision.decisionId}: ${decision.slots.length} slots, allowed 1`);
  }
  const arm = experiment.arms.find((candidate) => candidate.id === slot.armId);
  if (arm === undefined || arm.sinceVersion > decision.experimentVersion) {
    refuseToLearn(
      'unknown-arm',
      `decision ${decision.decisionId}: experiment ${experiment.id} version ${decision.experimentVersion} has no arm ${slot.armId}`,
    );
  }
  const dimension = contextDimension(experiment.context);
  if (decision.features.length !== dimension) {
    refuseToLearn(
      'feature-dimension',
      `decision ${decision.decisionId}: ${decision.features.length} features, experiment ${experiment.id} declares ${dimension}`,
    );
  }
  return {
    decisionId: decision.decisionId,
    experimentId: decision.experimentId,
    armId: slot.armId,
    propensity: slot.propensity,
    features: decision.features.map(quantizeFeature),
    decidedAtMs: decision.decidedAtMs,
    clockMs,
  };
}

function assertVersionApplied(decision: Decision, clockMs: number, experiment: Experiment): void {
  const appliedAtMs = experiment.appliedAtMs[decision.experimentVersion - 1];
  if (appliedAtMs !== undefined && clockMs >= appliedAtMs) return;
  refuseToLearn(
    'unknown-experiment-version',
    `decision ${decision.decisionId}: appended before version ${decision.experimentVersion} of experiment ${experiment.id} was applied`,
  );
}

function rewardEntry(reward: Reward, clockMs: number): RewardEntry {
  return {
    rewardId: reward.rewardId,
    metric: reward.metric,
    occurredAtMs: reward.occurredAtMs,
    decisionId: reward.decisionId,
    experimentId: reward.experimentId,
    records: [{ revision: reward.revision, value: reward.value, clockMs, reachedDropped: false }],
    lastClockMs: clockMs,
  };
}
