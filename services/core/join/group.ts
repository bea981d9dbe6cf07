/**
 * The join's unit of state: all that is known of one unit, as a set. Adding what is already there changes nothing.
 * Entries keep the order of their own stream, which no interleaving of the two streams can change.
 * Not here: whose reward is whose (attribution.ts), and storage (platform).
 */
import {
  type ArmId,
  type DecisionId,
  type ExperimentId,
  type PerStream,
  type RewardId,
  type Slot,
  STREAMS,
  type Stream,
  type UnitId,
} from '../events.ts';

/** Deployment-wide, part of the store's format: changing them means rebuilding. */
export interface JoinLimits {
  /** The longest attribution window that an experiment may declare. */
  readonly windowMs: number;
  /** How much later than the window, by the log clocks, a reward may be appended. */
  readonly graceMs: number;
  /** How much earlier than its decision, by the log clocks, a reward may be appended. */
  readonly earlyGraceMs: number;
  /** So many decisions, and as many records of rewards, of one unit are learned from … */
  readonly unitEventsMax: number;
  /** … in each stretch of this length by the log clock of their stream. What comes beyond is passed over, and counted. */
  readonly unitSpanMs: number;
}

export interface DecisionEntry {
  /** Place in the order of the unit's decisions; consecutive within the group, since the oldest go first. */
  readonly seq: number;
  readonly decisionId: DecisionId;
  readonly experimentId: ExperimentId;
  /** At least one, each with an arm of its own. */
  readonly slots: readonly Slot[];
  /** Dealt to a unit of the holdout: counts for the holdout instead of for its arms. */
  readonly heldOut: boolean;
  /** Whole feature units (quantize.ts), length d. */
  readonly features: readonly number[];
  readonly decidedAtMs: number;
  readonly clockMs: number;
}

/** One revision of a reward. Only the first record's occurrence decides whose it is; revisions change the value. */
export interface RewardRecord {
  readonly revision: number;
  readonly value: number | null;
  readonly clockMs: number;
  /** It reached an owner that has since been dropped from the group. */
  readonly reachedDropped: boolean;
}

export interface RewardEntry {
  readonly rewardId: RewardId;
  readonly metric: string;
  readonly occurredAtMs: number;
  readonly decisionId: DecisionId | null;
  readonly experimentId: ExperimentId | null;
  readonly armId: ArmId | null;
  /** In log order, at least one, distinct revisions. */
  readonly records: readonly [RewardRecord, ...RewardRecord[]];
  /** Clock of the last record seen, repeats included. */
  readonly lastClockMs: number;
  /** Decisions of the group that it belongs to, by `seq`, ascending. */
  readonly owners: readonly number[];
}

/** How many records of one stream were let in, in the newest stretch of `unitSpanMs` that had any. */
export interface LetIn {
  /** Number of the stretch: log clock divided by its length, rounded down. */
  readonly span: number;
  readonly records: number;
}

export interface Group {
  readonly unitId: UnitId;
  readonly letIn: Readonly<Record<Stream, LetIn>>;
  readonly decisions: readonly DecisionEntry[];
  readonly rewards: readonly RewardEntry[];
}

const NONE: LetIn = { span: 0, records: 0 };

export function emptyGroup(unitId: UnitId): Group {
  return { unitId, letIn: { decisions: NONE, rewards: NONE }, decisions: [], rewards: [] };
}

/** Whether the group says no more than that the unit is unknown. */
export function isEmpty({ letIn, decisions, rewards }: Group): boolean {
  return decisions.length + rewards.length + letIn.decisions.records + letIn.rewards.records === 0;
}

/**
 * Lets one more record of the unit in. By its place in its stream alone, whatever became of those before it: so the log
 * of one stretch says all, in whatever order the streams are read, and a crowded unit costs nothing.
 * @returns `null` when the unit has had its share of the stretch.
 */
export function letIn(group: Group, stream: Stream, clockMs: number, limits: JoinLimits): Group | null {
  const span = Math.floor(clockMs / limits.unitSpanMs);
  const { unitId, letIn: known, decisions, rewards } = group;
  const records = known[stream].span === span ? known[stream].records + 1 : 1;
  if (records > limits.unitEventsMax) return null;
  return { unitId, letIn: { ...known, [stream]: { span, records } }, decisions, rewards };
}

/** Forgets what was let in during stretches that no record still to come lies in. */
export function forgetLetIn(group: Group, lowClockMs: number, limits: JoinLimits): Group['letIn'] {
  const { decisions, rewards } = group.letIn;
  const remembered = (known: LetIn): LetIn => (letInDueMs(known, limits) < lowClockMs ? NONE : known);
  return { decisions: remembered(decisions), rewards: remembered(rewards) };
}

/** @returns the last clock of the stretch. */
function letInDueMs({ span }: LetIn, limits: JoinLimits): number {
  return (span + 1) * limits.unitSpanMs - 1;
}

/** How long after a decision, by the log clocks, a reward still reaches it; repeats of a decision are known this long. */
export function decisionReachMs(limits: JoinLimits): number {
  return limits.windowMs + limits.graceMs;
}

/**
 * How long a decision is remembered: as long as its rewards are not final. A reward at the end of its reach may still go
 * to a later decision, appended within early grace of the reward.
 */
export function decisionMemoryMs(limits: JoinLimits): number {
  return decisionReachMs(limits) + limits.earlyGraceMs;
}

/** How long after its last record a reward is remembered: longer than any decision that may own it, early grace later. */
export function rewardMemoryMs(limits: JoinLimits): number {
  return decisionMemoryMs(limits) + limits.earlyGraceMs;
}

/**
 * How far back the log says all that the groups know: the memory of a reward for what may still be alive; once more, so
 * that a record that only continues an older reward is not taken for a new one; and the stretch in which that lies, in
 * whole, since which records of a crowded unit were let in goes by their place in it.
 */
export function rebuiltFromMs(limits: JoinLimits): number {
  return 2 * rewardMemoryMs(limits) + limits.unitSpanMs;
}

/** Up to here both streams have been read: no record still to come has an earlier clock. */
export function lowClock(clocks: PerStream): number {
  return Math.min(clocks.decisions, clocks.rewards);
}

/** @returns the group with the decision as its last, or `null` when it is a repeat. */
export function addDecision(group: Group, entry: Omit<DecisionEntry, 'seq'>, limits: JoinLimits): Group | null {
  const repeated = group.decisions.some(
    (known) => known.decisionId === entry.decisionId && entry.clockMs - known.clockMs <= decisionReachMs(limits),
  );
  if (repeated) return null;
  const seq = (group.decisions.at(-1)?.seq ?? -1) + 1;
  return { ...group, decisions: [...group.decisions, { seq, ...entry }] };
}

/** @returns `undefined` when it is not in the group (any more). */
export function decisionAt({ decisions }: Group, seq: number): DecisionEntry | undefined {
  return decisions[seq - (decisions[0]?.seq ?? 0)];
}

export interface RewardAdded {
  readonly group: Group;
  /** Where the reward stands in the group. */
  readonly at: number;
  /** `repeated`: the same revision was there already; only the memory of it is refreshed. */
  readonly as: 'new' | 'revision' | 'repeated';
}

/** @param entry with exactly one record and no owners. */
export function addReward(group: Group, entry: RewardEntry, limits: JoinLimits): RewardAdded {
  const at = group.rewards.findLastIndex(
    (known) => known.rewardId === entry.rewardId && entry.lastClockMs - known.lastClockMs <= rewardMemoryMs(limits),
  );
  const known = group.rewards[at];
  if (known === undefined) {
    return { group: { ...group, rewards: [...group.rewards, entry] }, at: group.rewards.length, as: 'new' };
  }
  const [record] = entry.records;
  const repeated = known.records.some((other) => other.revision === record.revision);
  const merged: RewardEntry = {
    ...known,
    records: repeated ? known.records : [...known.records, record],
    lastClockMs: entry.lastClockMs,
  };
  return { group: { ...group, rewards: group.rewards.with(at, merged) }, at, as: repeated ? 'repeated' : 'revision' };
}

/** @returns the clock after which nothing still to come can touch the entry. */
export function decisionDueMs(entry: DecisionEntry, limits: JoinLimits): number {
  return entry.clockMs + decisionMemoryMs(limits);
}

export function rewardDueMs(entry: RewardEntry, limits: JoinLimits): number {
  return entry.lastClockMs + rewardMemoryMs(limits);
}

/** @returns the clock after which something in the group can be dropped, `null` when it is empty. */
export function groupDueMs(group: Group, limits: JoinLimits): number | null {
  const [oldest] = group.decisions;
  let dueMs = oldest === undefined ? Number.POSITIVE_INFINITY : decisionDueMs(oldest, limits);
  for (const reward of group.rewards) dueMs = Math.min(dueMs, rewardDueMs(reward, limits));
  if (dueMs < Number.POSITIVE_INFINITY) return dueMs;
  // Only how many were let in is left; with entries there it can wait for them.
  return isEmpty(group) ? null : Math.max(...STREAMS.map((stream) => letInDueMs(group.letIn[stream], limits)));
}
