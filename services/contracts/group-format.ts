/**
 * A unit's group as the local store keeps it. Made to be read and written with every event: numbers have fixed places, and
 * what was read of a decision, and of the first record of a reward, is decoded no further than somebody looks, and written
 * back as the bytes that it came in.
 * Like all of the store's format no contract with anybody else: a change raises FORMAT in store-format.ts.
 *
 *     stretch and records let in, of decisions, of rewards   counts: decisions, rewards, continued decisions, continued rewards
 *     the decisions, the rewards, the ids of continued decisions, of continued rewards
 *
 * Each entry begins with its length in bytes; texts stand after the numbers, which have their lengths.
 */
import {
  type ArmId,
  type DecisionId,
  type ExperimentId,
  type RewardId,
  type Slot,
  STREAMS,
  type Stream,
  type UnitId,
} from '../core/events.ts';
import type {
  Continued,
  DecisionEntry,
  Group,
  LetIn,
  RewardEntry,
  RewardFacts,
  RewardRecord,
} from '../core/join/group.ts';
import { frequentText, isAsciiText } from './frequent-text.ts';

const COUNTS_AT = 24;
const GROUP_HEADER_BYTES = 40;
const DECISION_HEADER_BYTES = 33;
const REWARD_HEADER_BYTES = 30;
const RECORD_BYTES = 25;
const CONTINUED_HEADER_BYTES = 14;
const NO_VALUE = 1;
const REACHED_DROPPED = 2;

/** @returns a view that holds until the next call. */
export function encodeGroup({ letIn, continued, decisions, rewards }: Group): Uint8Array {
  reserve(0, GROUP_HEADER_BYTES);
  writeLetIn(0, letIn.decisions);
  writeLetIn(12, letIn.rewards);
  written.writeUInt32LE(decisions.length, COUNTS_AT);
  written.writeUInt32LE(rewards.length, COUNTS_AT + 4);
  written.writeUInt32LE(continued.decisions.length, COUNTS_AT + 8);
  written.writeUInt32LE(continued.rewards.length, COUNTS_AT + 12);
  let at = GROUP_HEADER_BYTES;
  for (const entry of decisions) {
    at = entry instanceof StoredDecision ? entry.copyTo(at) : writeDecision(at, entry);
  }
  for (const entry of rewards) at = writeReward(at, entry);
  for (const entry of continued.decisions) at = writeContinued(at, entry);
  for (const entry of continued.rewards) at = writeContinued(at, entry);
  return written.subarray(0, at);
}

/** @param bytes must not change as long as the group is used. @throws RangeError when they are not a group. */
export function decodeGroup(unitId: UnitId, bytes: Buffer): Group {
  const letIn = { decisions: readLetIn(bytes, 0), rewards: readLetIn(bytes, 12) };
  const decisionCount = bytes.readUInt32LE(COUNTS_AT);
  const rewardCount = bytes.readUInt32LE(COUNTS_AT + 4);
  const decisions: DecisionEntry[] = [];
  const rewards: RewardEntry[] = [];
  let at = GROUP_HEADER_BYTES;
  for (let i = 0; i < decisionCount; i++) {
    decisions.push(new StoredDecision(bytes, at));
    at += entryLength(bytes, at, DECISION_HEADER_BYTES);
  }
  for (let i = 0; i < rewardCount; i++) {
    rewards.push(readReward(bytes, at));
    at += entryLength(bytes, at, REWARD_HEADER_BYTES);
  }
  const continued: Record<Stream, Continued[]> = { decisions: [], rewards: [] };
  for (const [index, stream] of STREAMS.entries()) {
    for (let i = bytes.readUInt32LE(COUNTS_AT + 8 + 4 * index); i > 0; i--) {
      continued[stream].push(readContinued(bytes, at));
      at += entryLength(bytes, at, CONTINUED_HEADER_BYTES);
    }
  }
  if (at !== bytes.length) throw new RangeError(`${bytes.length} bytes, ${at} of them a group`);
  return { unitId, letIn, continued, decisions, rewards };
}

/** 0 length · 4 seq · 8 decidedAtMs · 16 clockMs · 24 heldOut · 25 lengths: id, experiment · 29 counts: slots, features */
class StoredDecision implements DecisionEntry {
  readonly seq: number;
  readonly decidedAtMs: number;
  readonly clockMs: number;
  private readonly bytes: Buffer;
  private readonly at: number;
  private knownId: DecisionId | null = null;
  private knownExperimentId: ExperimentId | null = null;
  private knownSlots: readonly Slot[] | null = null;
  private knownFeatures: readonly number[] | null = null;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
    this.seq = bytes.readUInt32LE(at + 4);
    this.decidedAtMs = bytes.readDoubleLE(at + 8);
    this.clockMs = bytes.readDoubleLE(at + 16);
  }

  get heldOut(): boolean {
    return this.bytes[this.at + 24] === 1;
  }

  get decisionId(): DecisionId {
    this.knownId ??= text(this.bytes, this.at + DECISION_HEADER_BYTES, this.lengthAt(25)) as DecisionId;
    return this.knownId;
  }

  isOf(id: DecisionId): boolean {
    const at = this.at + DECISION_HEADER_BYTES;
    // Only text beyond ASCII has to be decoded, and that takes more bytes than it has units.
    return this.lengthAt(25) === id.length ? isAsciiText(this.bytes, at, id) : this.decisionId === id;
  }

  get experimentId(): ExperimentId {
    const start = this.at + DECISION_HEADER_BYTES + this.lengthAt(25);
    this.knownExperimentId ??= frequentText(this.bytes, start, this.lengthAt(27)) as ExperimentId;
    return this.knownExperimentId;
  }

  get slots(): readonly Slot[] {
    this.knownSlots ??= this.readSlots();
    return this.knownSlots;
  }

  get features(): readonly number[] {
    this.knownFeatures ??= this.readFeatures();
    return this.knownFeatures;
  }

  copyTo(to: number): number {
    const length = this.bytes.readUInt32LE(this.at);
    reserve(to, length);
    this.bytes.copy(written, to, this.at, this.at + length);
    return to + length;
  }

  private readSlots(): Slot[] {
    const slots: Slot[] = [];
    let at = this.at + DECISION_HEADER_BYTES + this.lengthAt(25) + this.lengthAt(27);
    for (let i = this.lengthAt(29); i > 0; i--) {
      const length = this.bytes.readUInt16LE(at);
      const armId = frequentText(this.bytes, at + 10, length) as ArmId;
      slots.push({ armId, propensity: this.bytes.readDoubleLE(at + 2) });
      at += 10 + length;
    }
    return slots;
  }

  private readFeatures(): number[] {
    const count = this.lengthAt(31);
    const features: number[] = [];
    let at = this.at + this.bytes.readUInt32LE(this.at) - count * 4;
    for (let i = 0; i < count; i++, at += 4) features.push(this.bytes.readInt32LE(at));
    return features;
  }

  private lengthAt(offset: number): number {
    return this.bytes.readUInt16LE(this.at + offset);
  }
}

function writeDecision(at: number, entry: DecisionEntry): number {
  const { seq, decidedAtMs, clockMs, heldOut, decisionId, experimentId, slots, features } = entry;
  const texts = (decisionId.length + experimentId.length) * BYTES_PER_UNIT;
  const slotBytes = slots.reduce((sum, { armId }) => sum + 10 + armId.length * BYTES_PER_UNIT, 0);
  reserve(at, DECISION_HEADER_BYTES + texts + slotBytes + features.length * 4);
  written.writeUInt32LE(seq, at + 4);
  written.writeDoubleLE(decidedAtMs, at + 8);
  written.writeDoubleLE(clockMs, at + 16);
  written[at + 24] = heldOut ? 1 : 0;
  written.writeUInt16LE(slots.length, at + 29);
  written.writeUInt16LE(features.length, at + 31);
  let end = writeText(at + DECISION_HEADER_BYTES, decisionId, at + 25);
  end = writeText(end, experimentId, at + 27);
  for (const { armId, propensity } of slots) {
    written.writeDoubleLE(propensity, end + 2);
    end = writeText(end + 10, armId, end);
  }
  for (const feature of features) end = written.writeInt32LE(feature, end);
  written.writeUInt32LE(end - at, at);
  return end;
}

/**
 * 0 length · 4 occurredAtMs · 12 lengths: id, metric, decision, experiment, arm, 0 for none · 22 counts: records, owners
 */
function writeReward(at: number, { facts, records, owners }: RewardEntry): number {
  let end = facts instanceof StoredFacts ? facts.copyTo(at) : writeFacts(at, facts);
  reserve(end, records.length * RECORD_BYTES + owners.length * 4);
  written.writeUInt32LE(records.length, at + 22);
  written.writeUInt32LE(owners.length, at + 26);
  for (const record of records) end = writeRecord(end, record);
  for (const owner of owners) end = written.writeUInt32LE(owner, end);
  written.writeUInt32LE(end - at, at);
  return end;
}

function writeFacts(at: number, facts: RewardFacts): number {
  const { rewardId, metric, occurredAtMs, decisionId, experimentId, armId } = facts;
  const named = [rewardId, metric, decisionId ?? '', experimentId ?? '', armId ?? ''];
  reserve(at, REWARD_HEADER_BYTES + named.reduce((sum, each) => sum + each.length * BYTES_PER_UNIT, 0));
  written.writeDoubleLE(occurredAtMs, at + 4);
  let end = at + REWARD_HEADER_BYTES;
  let lengthAt = at + 12;
  for (const each of named) {
    end = writeText(end, each, lengthAt);
    lengthAt += 2;
  }
  return end;
}

function writeRecord(at: number, { revision, value, clockMs, reachedDropped }: RewardRecord): number {
  written.writeDoubleLE(revision, at);
  written.writeDoubleLE(value ?? 0, at + 8);
  written.writeDoubleLE(clockMs, at + 16);
  written[at + 24] = (value === null ? NO_VALUE : 0) | (reachedDropped ? REACHED_DROPPED : 0);
  return at + RECORD_BYTES;
}

function readReward(bytes: Buffer, at: number): RewardEntry {
  const facts = new StoredFacts(bytes, at);
  const recordCount = bytes.readUInt32LE(at + 22);
  const records: RewardRecord[] = [];
  for (let i = 0; i < recordCount; i++) records.push(readRecord(bytes, facts.end + i * RECORD_BYTES));
  const owners: number[] = [];
  const ownersAt = facts.end + recordCount * RECORD_BYTES;
  const ownerCount = bytes.readUInt32LE(at + 26);
  for (let i = 0; i < ownerCount; i++) owners.push(bytes.readUInt32LE(ownersAt + i * 4));
  return { facts, records: records as [RewardRecord, ...RewardRecord[]], owners };
}

class StoredFacts implements RewardFacts {
  readonly occurredAtMs: number;
  private readonly bytes: Buffer;
  private readonly at: number;
  private readonly metricAt: number;
  private readonly decisionAt: number;
  private readonly experimentAt: number;
  private readonly armAt: number;
  /** Where its records begin. */
  readonly end: number;
  private knownId: RewardId | null = null;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
    this.occurredAtMs = bytes.readDoubleLE(at + 4);
    this.metricAt = at + REWARD_HEADER_BYTES + bytes.readUInt16LE(at + 12);
    this.decisionAt = this.metricAt + bytes.readUInt16LE(at + 14);
    this.experimentAt = this.decisionAt + bytes.readUInt16LE(at + 16);
    this.armAt = this.experimentAt + bytes.readUInt16LE(at + 18);
    this.end = this.armAt + bytes.readUInt16LE(at + 20);
  }

  get rewardId(): RewardId {
    const start = this.at + REWARD_HEADER_BYTES;
    this.knownId ??= text(this.bytes, start, this.metricAt - start) as RewardId;
    return this.knownId;
  }

  get metric(): string {
    return frequentText(this.bytes, this.metricAt, this.decisionAt - this.metricAt);
  }

  get decisionId(): DecisionId | null {
    const length = this.experimentAt - this.decisionAt;
    return length === 0 ? null : (text(this.bytes, this.decisionAt, length) as DecisionId);
  }

  get experimentId(): ExperimentId | null {
    const length = this.armAt - this.experimentAt;
    return length === 0 ? null : (frequentText(this.bytes, this.experimentAt, length) as ExperimentId);
  }

  get armId(): ArmId | null {
    const length = this.end - this.armAt;
    return length === 0 ? null : (frequentText(this.bytes, this.armAt, length) as ArmId);
  }

  /** All but the length and the counts. @returns where the records go. */
  copyTo(to: number): number {
    const length = this.end - this.at;
    reserve(to, length);
    this.bytes.copy(written, to, this.at, this.end);
    return to + length;
  }
}

function readRecord(bytes: Buffer, at: number): RewardRecord {
  const flags = bytes.readUInt8(at + 24);
  return {
    revision: bytes.readDoubleLE(at),
    value: (flags & NO_VALUE) === 0 ? bytes.readDoubleLE(at + 8) : null,
    clockMs: bytes.readDoubleLE(at + 16),
    reachedDropped: (flags & REACHED_DROPPED) !== 0,
  };
}

/** 0 length · 4 clockMs · 12 length of the id */
function writeContinued(at: number, { id, clockMs }: Continued): number {
  reserve(at, CONTINUED_HEADER_BYTES + id.length * BYTES_PER_UNIT);
  written.writeDoubleLE(clockMs, at + 4);
  const end = writeText(at + CONTINUED_HEADER_BYTES, id, at + 12);
  written.writeUInt32LE(end - at, at);
  return end;
}

function readContinued(bytes: Buffer, at: number): Continued {
  const id = text(bytes, at + CONTINUED_HEADER_BYTES, bytes.readUInt16LE(at + 12)) as Continued['id'];
  return { id, clockMs: bytes.readDoubleLE(at + 4) };
}

function writeLetIn(at: number, { span, records }: LetIn): void {
  written.writeDoubleLE(span, at);
  written.writeUInt32LE(records, at + 8);
}

function readLetIn(bytes: Buffer, at: number): LetIn {
  return { span: bytes.readDoubleLE(at), records: bytes.readUInt32LE(at + 8) };
}

function entryLength(bytes: Buffer, at: number, min: number): number {
  const length = bytes.readUInt32LE(at);
  if (length < min || at + length > bytes.length) throw new RangeError(`an entry of ${length} bytes at ${at}`);
  return length;
}

/** UTF-8 takes at most so many. */
const BYTES_PER_UNIT = 3;
let written = Buffer.alloc(65_536);

/** Makes room for so many bytes from there on. */
function reserve(at: number, bytes: number): void {
  if (at + bytes <= written.length) return;
  const larger = Buffer.alloc(Math.max(written.length * 2, at + bytes));
  written.copy(larger);
  written = larger;
}

/** Writes a text, and its length where that belongs. @returns where it ends. */
function writeText(at: number, value: string, lengthAt: number): number {
  let length = value.length;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit >= 0x80) {
      length = written.write(value, at);
      break;
    }
    written[at + i] = unit;
  }
  written.writeUInt16LE(length, lengthAt);
  return at + length;
}

function text(bytes: Buffer, at: number, length: number): string {
  return bytes.toString('utf8', at, at + length);
}
