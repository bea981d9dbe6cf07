/**
 * The state machine of one input partition. `handle…` and `learnedFrom` propose a change and touch nothing; `apply` is the only
 * writer.
 * Live, restart, rebuild and replay run the same two. Owns offsets, log clocks, books and sums; the groups it works on
 * are lent to it by whoever keeps them.
 */
import { assert } from '../errors.ts';
import { type ArmId, AT_START, type Decision, type PerStream, type Reward, type Stream } from '../events.ts';
import type { Experiment } from '../experiment.ts';
import { armOf, contextDimension, lineOf } from '../experiment.ts';
import {
  assign,
  claim,
  type Experiments,
  ownedBy,
  type RewardStanding,
  reaches,
  standingOf,
  type Touched,
} from '../join/attribution.ts';
import {
  addDecision,
  addReward,
  type DecisionEntry,
  decisionAt,
  decisionDueMs,
  emptyGroup,
  forgetContinued,
  forgetLetIn,
  type Group,
  isEmpty,
  type JoinLimits,
  letIn,
  type RewardEntry,
  rewardDueMs,
} from '../join/group.ts';
import { outcomesOf } from '../join/worth.ts';
import { patternCount, patternOf } from '../patterns.ts';
import { FEATURE_UNITS, quantizeFeature } from '../quantize.ts';
import { tickOf } from '../sums/delays.ts';
import { addCount, addCounts, type Counts, zeroCounts } from './counts.ts';
import { refuseToLearn } from './refusals.ts';
import { type CountedPattern, PartitionSums, type SumDelta } from './sums.ts';

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
  offsets: PerStream = AT_START;
  clocks: PerStream = AT_START;
  readonly counts: Counts = zeroCounts();
  readonly sums = new PartitionSums();

  /**
   * Takes note of a record read. @returns its log clock: the running maximum of append times in its stream.
   */
  observe(stream: Stream, nextOffset: number, appendTimeMs: number): number {
    const clockMs = Math.max(this.clocks[stream], appendTimeMs);
    this.offsets = withStream(this.offsets, stream, nextOffset);
    this.clocks = withStream(this.clocks, stream, clockMs);
    return clockMs;
  }

  apply(change: Pick<Change, 'deltas' | 'counts'>): void {
    addCounts(this.counts, change.counts);
    for (const delta of change.deltas) this.sums.apply(delta);
  }
}

function withStream({ decisions, rewards }: PerStream, stream: Stream, value: number): PerStream {
  return stream === 'decisions' ? { decisions: value, rewards } : { decisions, rewards: value };
}

/** @returns the columns of the books in which the entries of a group stand now; what may still come can change no others. */
export function standing(group: Group, rules: Rules): Counts {
  const touched = {
    decisions: new Set(group.decisions.map(({ seq }) => seq)),
    rewards: group.rewards.map((_, at) => at),
  };
  const alone = { before: emptyGroup(group.unitId), group, touched, received: {} };
  return { ...zeroCounts(), ...learnedFrom(alone, rules).counts };
}

/** What an event makes of a group, before anybody asks what is learned from it. */
export interface Handled {
  /** The group as it will be. */
  readonly group: Group;
  readonly before: Group;
  readonly touched: Touched;
  /** How the event itself is counted. */
  readonly received: Partial<Counts>;
}

const NOTHING_TOUCHED: Touched = { decisions: new Set(), rewards: [] };

/** @throws Invalid when the decision can never be learned from: dead-letter it. */
export function handleDecision(before: Group, decision: Decision, clockMs: number, rules: Rules): Handled {
  const entry = decisionEntry(decision, clockMs, rules.experiments);
  // Nobody saw its arm, so no reward can be its own: settled from the start, and no trace of it in group or sums.
  if (decision.reason === 'shadow') return untouched(before, before, { decisionsIn: 1, decisionsExpired: 1 });
  const open = letIn(before, 'decisions', clockMs, rules.limits);
  if (open === null) return untouched(before, before, { decisionsIn: 1, decisionsCrowded: 1 });
  const { group: added, as } = addDecision(open, entry, rules.limits);
  if (as === 'repeated') return untouched(before, added, { decisionsIn: 1, decisionsDuplicate: 1 });
  const { group, touched, passedOver } = claim(added, rules.experiments, rules.limits);
  return { group, before, touched, received: { decisionsIn: 1, passedOver } };
}

export function handleReward(before: Group, reward: Reward, clockMs: number, rules: Rules): Handled {
  const open = letIn(before, 'rewards', clockMs, rules.limits);
  if (open === null) return untouched(before, before, { rewardsIn: 1, rewardsCrowded: 1 });
  const { group: added, at, as } = addReward(open, rewardEntry(reward, clockMs), rules.limits);
  if (as === 'repeated') return untouched(before, added, { rewardsIn: 1, rewardsDuplicate: 1 });
  if (as === 'late') return untouched(before, added, { rewardsIn: 1, rewardsUnmatched: 1 });
  // Only the first record decides whose the reward is.
  const settled = as === 'new' ? assign(added, at, rules.experiments, rules.limits) : { group: added, passedOver: 0 };
  const { group, passedOver } = settled;
  const touched = { decisions: new Set(group.rewards[at]!.owners), rewards: [at] };
  return { group, before, touched, received: { rewardsIn: 1, passedOver } };
}

function untouched(before: Group, group: Group, received: Partial<Counts>): Handled {
  return { group, before, touched: NOTHING_TOUCHED, received };
}

export function deadLettered(stream: Stream): Partial<Counts> {
  return stream === 'decisions'
    ? { decisionsIn: 1, decisionsDeadLettered: 1 }
    : { rewardsIn: 1, rewardsDeadLettered: 1 };
}

/** Drops what nothing still to come can touch. What was learned from it stays learned, so there are no deltas. */
export function expire(group: Group, lowClockMs: number, { limits }: Rules): Change {
  const alive = group.decisions.findIndex((entry) => decisionDueMs(entry, limits) >= lowClockMs);
  const dropped = group.decisions.slice(0, alive === -1 ? undefined : alive);
  const joined = new Set(group.rewards.flatMap(({ owners }) => owners));
  const expired = dropped.filter(({ seq }) => !joined.has(seq)).length;
  const settled = group.rewards.map((reward) => settle(reward, dropped, limits));
  const isDue = (reward: RewardEntry): boolean => rewardDueMs(reward, limits) < lowClockMs;
  const unmatched = settled.filter(
    (reward) => isDue(reward) && reward.owners.length === 0 && reward.records.every((record) => !record.reachedDropped),
  ).length;
  return {
    group: {
      ...group,
      letIn: forgetLetIn(group, lowClockMs, limits),
      continued: forgetContinued(group, lowClockMs, limits),
      decisions: group.decisions.slice(dropped.length),
      rewards: settled.filter((reward) => !isDue(reward)),
    },
    deltas: [],
    counts: {
      decisionsPending: -expired,
      decisionsExpired: expired,
      rewardsPending: -unmatched,
      rewardsUnmatched: unmatched,
    },
  };
}

/**
 * @returns how many decisions run out, when that is all that `expire` will do with the group from that clock on: none has a
 * reward, and nothing else is known of the unit by then. Else 0.
 */
export function runOutBy(group: Group, lowClockMs: number, { limits }: Rules): number {
  const { unitId, continued, decisions, rewards } = group;
  const last = decisions.at(-1);
  if (last === undefined || decisionDueMs(last, limits) >= lowClockMs) return 0;
  const left = { unitId, letIn: forgetLetIn(group, lowClockMs, limits), continued, decisions: [], rewards };
  return isEmpty(left) ? decisions.length : 0;
}

/** What becomes of so many decisions that run out without a reward. */
export function ranOut(decisions: number): Omit<Change, 'group'> {
  return { deltas: [], counts: { decisionsPending: -decisions, decisionsExpired: decisions } };
}

/** Remembers on the reward that its decision is gone, so that it is neither pending nor anybody else's. */
function settle(reward: RewardEntry, dropped: readonly DecisionEntry[], limits: JoinLimits): RewardEntry {
  const gone = dropped.filter(({ seq }) => reward.owners.includes(seq));
  if (gone.length === 0) return reward;
  const [first, ...others] = reward.records.map((record) => ({
    ...record,
    reachedDropped: record.reachedDropped || gone.some((owner) => reaches(record.clockMs, owner, limits)),
  }));
  const owners = reward.owners.filter((seq) => gone.every((owner) => owner.seq !== seq));
  return { ...reward, records: [first!, ...others], owners };
}

/**
 * @returns what sums and books learn from an event: delta = contributions(after) − contributions(before), where it touched
 * anything.
 */
export function learnedFrom(
  { before, group: after, touched, received }: Handled,
  { experiments, limits }: Rules,
): Omit<Change, 'group'> {
  const counts = { ...received };
  const deltas: SumDelta[] = [];
  const ownedBefore = ownedBy(before, touched.decisions);
  const ownedAfter = ownedBy(after, touched.decisions);
  for (const seq of touched.decisions) {
    const decision = decisionAt(after, seq)!;
    const experiment = experiments.get(decision.experimentId)!;
    const had = ownedBefore.get(seq) ?? [];
    const has = ownedAfter.get(seq) ?? [];
    const isNew = decisionAt(before, seq) === undefined;
    const were = isNew ? null : outcomesOf(decision, had, experiment, limits);
    const are = outcomesOf(decision, has, experiment, limits);
    addCount(counts, 'decisionsJoined', Number(has.length > 0) - Number(had.length > 0));
    addCount(counts, 'decisionsPending', Number(has.length === 0) - Number(!isNew && had.length === 0));
    const counted = countedPattern(decision, experiment);
    const placed = placeInTime(decision, experiment, limits);
    are.forEach((is, at) => {
      const was = were?.[at] ?? null;
      addCount(counts, 'clipped', Number(is.clipped) - Number(was?.clipped ?? false));
      if (was !== null && was.rewardUnits === is.rewardUnits && was.firstDelayMs === is.firstDelayMs) return;
      const slot = decision.slots[at]!;
      deltas.push({ line: lineOf(experiment), decision, slot, ...placed, counted, before: was, after: is });
    });
  }
  for (const at of touched.rewards) {
    const known = before.rewards[at];
    if (known !== undefined) addStanding(counts, standingOf(before, known, limits), -1);
    addStanding(counts, standingOf(after, after.rewards[at]!, limits), 1);
  }
  return { deltas, counts };
}

function addStanding(counts: Partial<Counts>, standing: RewardStanding, sign: 1 | -1): void {
  addCount(counts, 'rewardsJoined', sign * standing.joined);
  addCount(counts, 'rewardsPending', sign * standing.pending);
  addCount(counts, 'rewardsDuplicate', sign * standing.duplicate);
  addCount(counts, 'rewardsUnmatched', sign * standing.unmatched);
}

/**
 * By the client's clock, but not beyond the log's: nothing is decided after it was appended, and one decision of the
 * year 2099 would make all others look old.
 */
function placeInTime(
  decision: DecisionEntry,
  { attribution, cohortMs, reward }: Experiment,
  { earlyGraceMs }: JoinLimits,
): Pick<SumDelta, 'cohort' | 'delays'> {
  const timeMs = Math.min(decision.decidedAtMs, decision.clockMs + earlyGraceMs);
  const corrected = reward.delay === 'delay-corrected';
  const delays = corrected ? { tick: tickOf(timeMs, cohortMs), windowMs: attribution.windowMs } : null;
  return { cohort: Math.floor(timeMs / cohortMs), delays };
}

/** @returns `null` in experiments that keep other sums than counts by pattern. */
function countedPattern({ features }: DecisionEntry, { id, layout, context }: Experiment): CountedPattern | null {
  if (layout === null) return null;
  const pattern = patternOf(context, features, FEATURE_UNITS);
  assert(pattern !== null, `a decision of ${id} whose features are no pattern was let in`);
  return { pattern, patterns: patternCount(context) };
}

function decisionEntry(decision: Decision, clockMs: number, experiments: Experiments): Omit<DecisionEntry, 'seq'> {
  const experiment = experiments.get(decision.experimentId);
  if (experiment === undefined) {
    refuseToLearn('unknown-experiment', `decision ${decision.decisionId}: no experiment ${decision.experimentId}`);
  }
  assertVersionApplied(decision, clockMs, experiment);
  assertArmsDealt(decision, experiment);
  const dimension = contextDimension(experiment.context);
  if (decision.features.length !== dimension) {
    refuseToLearn(
      'feature-dimension',
      `decision ${decision.decisionId}: ${decision.features.length} features, experiment ${experiment.id} declares ${dimension}`,
    );
  }
  const features = decision.features.map(quantizeFeature);
  if (experiment.layout !== null && patternOf(experiment.context, features, FEATURE_UNITS) === null) {
    refuseToLearn(
      'feature-pattern',
      `decision ${decision.decisionId}: no context of experiment ${experiment.id} encodes as ${decision.features.join(' ')}`,
    );
  }
  return {
    decisionId: decision.decisionId,
    experimentId: decision.experimentId,
    slots: decision.slots,
    heldOut: decision.reason === 'holdout',
    features,
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

function assertArmsDealt(decision: Decision, experiment: Experiment): void {
  const dealt = new Set<ArmId>();
  for (const { armId } of decision.slots) {
    if (dealt.has(armId)) {
      refuseToLearn('repeated-arm', `decision ${decision.decisionId} deals arm ${armId} twice, allowed once`);
    }
    dealt.add(armId);
    const arm = armOf(experiment, armId);
    if (arm !== undefined && arm.sinceVersion <= decision.experimentVersion) continue;
    refuseToLearn(
      'unknown-arm',
      `decision ${decision.decisionId}: experiment ${experiment.id} version ${decision.experimentVersion} has no arm ${armId}`,
    );
  }
}

function rewardEntry(reward: Reward, clockMs: number): RewardEntry {
  const { rewardId, metric, occurredAtMs, decisionId, experimentId, armId } = reward;
  return {
    facts: { rewardId, metric, occurredAtMs, decisionId, experimentId, armId },
    records: [{ revision: reward.revision, value: reward.value, clockMs, reachedDropped: false }],
    owners: [],
  };
}
