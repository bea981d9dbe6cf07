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
  /** Whether that is its id, where this can be said for less than the id: see `hasId`. */
  isOf?(id: DecisionId): boolean;
}

/** One revision of a reward. */
export interface RewardRecord {
  readonly revision: number;
  readonly value: number | null;
  readonly clockMs: number;
  /** It reached an owner that has since been dropped from the group. */
  readonly reachedDropped: boolean;
}

/** What the first record of a reward says: it decides whose the reward is, and no revision changes it. */
export interface RewardFacts {
  readonly rewardId: RewardId;
  readonly metric: string;
  readonly occurredAtMs: number;
  readonly decisionId: DecisionId | null;
  readonly experimentId: ExperimentId | null;
  readonly armId: ArmId | null;
}

export interface RewardEntry {
  readonly facts: RewardFacts;
  /** In log order, at least one, distinct revisions. */
  readonly records: readonly [RewardRecord, ...RewardRecord[]];
  /** Decisions of the group that it belongs to, by `seq`, ascending. */
  readonly owners: readonly number[];
}

/** How many records of one stream were let in, in the newest stretch of `unitSpanMs` that had any. */
export interface LetIn {
  /** Number of the stretch: log clock divided by its length, rounded down. */
  readonly span: number;
  readonly records: number;
}

/** An id of which more came than its first record, which may be gone by now. */
export interface Continued {
  readonly id: DecisionId | RewardId;
  /** Of the last record. */
  readonly clockMs: number;
}

export interface Group {
  readonly unitId: UnitId;
  readonly letIn: Readonly<Record<Stream, LetIn>>;
  /** In order of their clocks, each id once. */
  readonly continued: Readonly<Record<Stream, readonly Continued[]>>;
  readonly decisions: readonly DecisionEntry[];
  readonly rewards: readonly RewardEntry[];
}

const NONE: LetIn = { span: 0, records: 0 };
const NOTHING_CONTINUED: Group['continued'] = { decisions: [], rewards: [] };

export function emptyGroup(unitId: UnitId): Group {
  return {
    unitId,
    letIn: { decisions: NONE, rewards: NONE },
    continued: NOTHING_CONTINUED,
    decisions: [],
    rewards: [],
  };
}

/** Whether the group says no more than that the unit is unknown. */
export function isEmpty({ letIn, continued, decisions, rewards }: Group): boolean {
  const entries = decisions.length + rewards.length + continued.decisions.length + continued.rewards.length;
  return entries + letIn.decisions.records + letIn.rewards.records === 0;
}

/**
 * Lets one more record of the unit in. By its place in its stream alone, whatever became of those before it: so the log
 * of one stretch says all, in whatever order the streams are read, and a crowded unit costs nothing.
 * @returns `null` when the unit has had its share of the stretch.
 */
export function letIn(group: Group, stream: Stream, clockMs: number, limits: JoinLimits): Group | null {
  const span = Math.floor(clockMs / limits.unitSpanMs);
  const { unitId, letIn: known, continued, decisions, rewards } = group;
  const records = known[stream].span === span ? known[stream].records + 1 : 1;
  if (records > limits.unitEventsMax) return null;
  const counted = { span, records };
  const letIn =
    stream === 'decisions'
      ? { decisions: counted, rewards: known.rewards }
      : { decisions: known.decisions, rewards: counted };
  return { unitId, letIn, continued, decisions, rewards };
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

/**
 * How long after a decision, by the log clocks, a reward still reaches it. A record of a decision is its first when none of
 * its id stands within this stretch of the log before it.
 */
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

/**
 * How long after its first record a reward is remembered, longer than any decision that may own it, early grace later. A
 * record of a reward is its first when none of its id stands within this stretch of the log before it.
 */
export function rewardMemoryMs(limits: JoinLimits): number {
  return decisionMemoryMs(limits) + limits.earlyGraceMs;
}

/**
 * How far back the log says all that the groups know: the memory of a reward for what may still be alive; the reach of a
 * decision that may own it; the memory once more, so that a record that continues what is older is not taken for a first
 * one; and the stretch in which that lies, in whole, since which records of a crowded unit were let in goes by their place
 * in it.
 */
export function rebuiltFromMs(limits: JoinLimits): number {
  return 2 * rewardMemoryMs(limits) + decisionReachMs(limits) + limits.unitSpanMs;
}

/** Up to here both streams have been read: no record still to come has an earlier clock. */
export function lowClock(clocks: PerStream): number {
  return Math.min(clocks.decisions, clocks.rewards);
}

export interface DecisionAdded {
  readonly group: Group;
  /** `new`: it is the group's last. `repeated`: only the memory of its id is refreshed. */
  readonly as: 'new' | 'repeated';
}

export function addDecision(group: Group, entry: Omit<DecisionEntry, 'seq'>, limits: JoinLimits): DecisionAdded {
  const { decisionId, clockMs } = entry;
  const fromMs = clockMs - decisionReachMs(limits);
  const isKnown =
    group.decisions.some((known) => known.clockMs >= fromMs && hasId(known, decisionId)) ||
    isContinued(group, 'decisions', decisionId, fromMs);
  if (isKnown) return { group: continues(group, 'decisions', { id: decisionId, clockMs }), as: 'repeated' };
  const seq = (group.decisions.at(-1)?.seq ?? -1) + 1;
  return { group: { ...group, decisions: [...group.decisions, { ...entry, seq }] }, as: 'new' };
}

export function hasId(entry: DecisionEntry, id: DecisionId): boolean {
  return entry.isOf === undefined ? entry.decisionId === id : entry.isOf(id);
}

function isContinued({ continued }: Group, stream: Stream, id: Continued['id'], fromMs: number): boolean {
  return continued[stream].some((known) => known.clockMs >= fromMs && known.id === id);
}

/** Remembers the id from this record on, however often it came before: so what is new is a function of the end of the log. */
function continues(group: Group, stream: Stream, last: Continued): Group {
  const others = group.continued[stream].filter(({ id }) => id !== last.id);
  return { ...group, continued: { ...group.continued, [stream]: [...others, last] } };
}

/** Forgets ids that no record still to come continues. */
export function forgetContinued({ continued }: Group, lowClockMs: number, limits: JoinLimits): Group['continued'] {
  const remembered = (stream: Stream): readonly Continued[] =>
    continued[stream].filter((last) => continuedDueMs(stream, last, limits) >= lowClockMs);
  return { decisions: remembered('decisions'), rewards: remembered('rewards') };
}

function continuedDueMs(stream: Stream, { clockMs }: Continued, limits: JoinLimits): number {
  return clockMs + (stream === 'decisions' ? decisionReachMs(limits) : rewardMemoryMs(limits));
}

/** @returns `undefined` when it is not in the group (any more). */
export function decisionAt({ decisions }: Group, seq: number): DecisionEntry | undefined {
  return decisions[seq - (decisions[0]?.seq ?? 0)];
}

export interface RewardAdded {
  readonly group: Group;
  /** Where the reward stands in the group; -1 when `late`. */
  readonly at: number;
  /**
   * `repeated`: the same revision was there already; only the memory of its id is refreshed. `late`: so is it, since the
   * record comes when all decisions that may own the reward are final.
   */
  readonly as: 'new' | 'revision' | 'repeated' | 'late';
}

/** @param entry with exactly one record and no owners. */
export function addReward(group: Group, entry: RewardEntry, limits: JoinLimits): RewardAdded {
  const { rewardId } = entry.facts;
  const [record] = entry.records;
  const fromMs = record.clockMs - rewardMemoryMs(limits);
  const isCurrent = ({ records, facts }: RewardEntry): boolean =>
    records[0].clockMs >= fromMs && facts.rewardId === rewardId;
  const at = group.rewards.findLastIndex(isCurrent);
  const known = group.rewards[at];
  if (known === undefined && !isContinued(group, 'rewards', rewardId, fromMs)) {
    return { group: { ...group, rewards: [...group.rewards, entry] }, at: group.rewards.length, as: 'new' };
  }
  const remembered = continues(group, 'rewards', { id: rewardId, clockMs: record.clockMs });
  if (known === undefined) return { group: remembered, at, as: 'late' };
  if (known.records.some(({ revision }) => revision === record.revision))
    return { group: remembered, at, as: 'repeated' };
  const revised: RewardEntry = { ...known, records: [...known.records, record] };
  return { group: { ...remembered, rewards: group.rewards.with(at, revised) }, at, as: 'revision' };
}

/** @returns the clock after which nothing still to come can touch the entry. */
export function decisionDueMs(entry: DecisionEntry, limits: JoinLimits): number {
  return entry.clockMs + decisionMemoryMs(limits);
}

export function rewardDueMs(entry: RewardEntry, limits: JoinLimits): number {
  return entry.records[0].clockMs + rewardMemoryMs(limits);
}

/** @returns the clock after which something in the group can be dropped, `null` when it is empty. */
export function groupDueMs(group: Group, limits: JoinLimits): number | null {
  const [decision] = group.decisions;
  const [reward] = group.rewards;
  let dueMs = decision === undefined ? Number.POSITIVE_INFINITY : decisionDueMs(decision, limits);
  if (reward !== undefined) dueMs = Math.min(dueMs, rewardDueMs(reward, limits));
  for (const stream of STREAMS) {
    const [last] = group.continued[stream];
    if (last !== undefined) dueMs = Math.min(dueMs, continuedDueMs(stream, last, limits));
  }
  if (dueMs < Number.POSITIVE_INFINITY) return dueMs;
  // Only how many were let in is left; with entries there it can wait for them.
  return isEmpty(group) ? null : Math.max(...STREAMS.map((stream) => letInDueMs(group.letIn[stream], limits)));
}
