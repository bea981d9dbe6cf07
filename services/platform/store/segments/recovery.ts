/**
 * Opens what a store left: the checkpoint, then the segments that came after it, up to the last commit that is whole.
 * What follows that one is cut off; damage before it means that the store cannot be read.
 */
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { GrowingDues } from './due-table.ts';
import { unreadable } from './errors.ts';
import { placeOf } from './place.ts';
import {
  alignedTo8,
  type Bytes,
  COMMIT,
  dueAt,
  GONE,
  hasValue,
  isIntact,
  keyAt,
  kindAt,
  lengthAt,
  markAt,
  NAMED,
  priorAt,
  type RecordKind,
  tagAt,
  UNIT,
  UNNAMED,
} from './record.ts';
import { readSegmentFile, SEGMENT_HEADER_BYTES, Segment, type SegmentFile, segmentPath } from './segment.ts';
import { State } from './state.ts';

export interface Recovered {
  readonly state: State;
  /** The segment to go on with; `null` when nothing was ever committed. */
  readonly active: Segment | null;
  /** Segments that opening had to read again, as no checkpoint reflects them. */
  readonly replayed: readonly Segment[];
}

/** A record that counts once its commit is there. */
interface Pending {
  readonly kind: RecordKind;
  /** Of a unit. */
  readonly tag: number;
  /** Of an entry with a name. */
  readonly name: string;
  readonly place: number;
  readonly prior: number;
}

interface Where {
  readonly folder: string;
  readonly segmentBytes: number;
}

/** Where a commit ends. */
interface Cut {
  readonly number: number;
  readonly slot: number;
  readonly offset: number;
}

/** @throws Corrupt; Unavailable. */
export async function recover(folder: string, segmentBytes: number): Promise<Recovered> {
  const numbers = segmentNumbers(folder);
  const checkpoint = readCheckpoint(folder);
  if (checkpoint === null && numbers.length > 0 && numbers[0] !== 1) throw unreadable('its checkpoint is missing');
  if (checkpoint === null && numbers.length === 0) return nothing();
  const state = checkpoint === null ? new State() : restored(folder, checkpoint);
  const from = checkpoint?.active.number ?? 1;
  const replay = new Replay(state, { folder, segmentBytes }, checkpoint);
  const after = numbers.filter((number) => number >= from);
  for (const [at, number] of after.entries()) {
    if (number !== from + at) throw unreadable(`segment ${from + at} is missing`);
    replay.read(number, at === after.length - 1);
  }
  const { cut } = replay;
  if (cut === null && checkpoint !== null) throw unreadable(`segment ${from} is missing`);
  await removeUnused(folder, numbers, { checkpoint, from, cut });
  if (cut === null) return nothing();
  const active = resume(state, { folder, segmentBytes }, cut);
  const replayed = state.segments.filter((segment) => segment.number >= from && segment !== active);
  return { state, active, replayed };
}

function nothing(): Recovered {
  return { state: new State(), active: null, replayed: [] };
}

function segmentNumbers(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => /^\d{10}\.segment$/.test(name))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b);
}

function restored(folder: string, { commits, sealed, named, index }: Checkpoint): State {
  const state = new State();
  state.commits = commits;
  state.index = index;
  for (const [name, place] of named) state.named.set(name, place);
  for (const { number, slot, records, live } of sealed) {
    const segment = Segment.openSealed({ folder, number, slot });
    state.add(Object.assign(segment, { records, live }));
  }
  return state;
}

/** Applies what the segments have, commit by commit. */
class Replay {
  /** The end of the last commit that is whole, `null` when there is none. */
  cut: Cut | null = null;
  private readonly state: State;
  private readonly where: Where;
  private readonly checkpoint: Checkpoint | null;
  private pending: Pending[] = [];

  constructor(state: State, where: Where, checkpoint: Checkpoint | null) {
    this.state = state;
    this.where = where;
    this.checkpoint = checkpoint;
  }

  /** @param isLast damage there only ends it. */
  read(number: number, isLast: boolean): void {
    const file = readSegmentFile(this.where.folder, number, this.where.segmentBytes);
    if (file === null && isLast) return;
    if (file === null) throw unreadable(`segment ${number} is not one`);
    this.add(file, number);
    const offset = this.apply(file, number, this.begin(file, number));
    if (offset < file.end && !isLast) throw unreadable(`segment ${number} is damaged at ${offset}`);
  }

  private add({ slot, isSealed, bytes, end }: SegmentFile, number: number): void {
    const place = { folder: this.where.folder, number, slot };
    const segment = isSealed ? Segment.openSealed(place) : Segment.begin(place, bytes);
    this.state.add(Object.assign(segment, { end }));
  }

  /** @returns where what the checkpoint does not reflect begins. */
  private begin({ slot, end }: SegmentFile, number: number): number {
    const active = this.checkpoint?.active;
    if (active?.number !== number) return SEGMENT_HEADER_BYTES;
    if (active.slot !== slot || active.end > end) throw unreadable(`segment ${number} is shorter than it was`);
    Object.assign(this.state.at(slot)!, { records: active.records, live: active.live });
    this.cut = { number, slot, offset: active.end };
    return active.end;
  }

  /** @returns where it cannot be read any more. */
  private apply({ bytes, slot, end }: SegmentFile, number: number, begin: number): number {
    const { state } = this;
    const segment = state.at(slot)!;
    let at = begin;
    while (isIntact(bytes, at, end)) {
      const next = at + alignedTo8(lengthAt(bytes, at));
      const kind = kindAt(bytes, at);
      if (kind !== COMMIT) {
        if (hasValue(kind)) segment.records += 1;
        this.pending.push(pendingAt(bytes, at, placeOf(slot, at)));
      } else {
        if (dueAt(bytes, at) !== state.commits) throw unreadable(`commit ${state.commits} is missing`);
        for (const record of this.pending) applyRecord(state, record);
        this.pending = [];
        state.commits += 1;
        this.cut = { number, slot, offset: next };
      }
      at = next;
    }
    return at;
  }
}

function pendingAt(bytes: Bytes, offset: number, place: number): Pending {
  const kind = kindAt(bytes, offset);
  const isNamed = kind === NAMED || kind === UNNAMED;
  return {
    kind,
    tag: kind === UNIT ? tagAt(bytes, offset) : dueAt(bytes, offset),
    name: isNamed ? keyAt(bytes, offset) : '',
    place,
    prior: priorAt(bytes, offset),
  };
}

function applyRecord(state: State, { kind, tag, name, place, prior }: Pending): void {
  switch (kind) {
    case UNIT:
      state.moveUnit(tag, place, prior);
      break;
    case GONE:
      state.removeUnit(tag, prior);
      break;
    case NAMED:
      state.moveNamed(name, place);
      break;
    case UNNAMED:
      state.removeNamed(name);
      break;
    case COMMIT:
      break;
  }
}

/** Segments that a checkpoint has left behind, and those beyond the cut. */
async function removeUnused(
  folder: string,
  numbers: readonly number[],
  {
    checkpoint,
    from,
    cut,
  }: { readonly checkpoint: Checkpoint | null; readonly from: number; readonly cut: Cut | null },
): Promise<void> {
  const kept = new Set(checkpoint?.sealed.map(({ number }) => number));
  const last = cut?.number ?? 0;
  for (const number of numbers) {
    const isUsed = number >= from ? number <= last : kept.has(number);
    if (!isUsed) await rm(segmentPath(folder, number), { force: true });
  }
}

/** The segment of the cut is open again; those beyond it are gone. */
function resume(state: State, { folder, segmentBytes }: Where, { number, slot, offset }: Cut): Segment {
  for (const segment of state.segments) {
    if (segment.number < number) continue;
    segment.close();
    if (segment.number > number) state.remove(segment);
  }
  const { bytes } = readSegmentFile(folder, number, segmentBytes)!;
  const { records, live } = state.at(slot)!;
  const dues = new GrowingDues();
  for (let at = SEGMENT_HEADER_BYTES; at < offset; at += alignedTo8(lengthAt(bytes, at))) {
    // What the checkpoint reflects of it has not been looked at yet.
    if (!isIntact(bytes, at, offset)) throw unreadable(`segment ${number} is damaged at ${at}`);
    if (kindAt(bytes, at) !== UNIT) continue;
    dues.add({ due: dueAt(bytes, at), tag: tagAt(bytes, at), offset: at, mark: markAt(bytes, at) });
  }
  const active = Segment.resume({ folder, number, slot }, bytes, offset, dues);
  state.add(Object.assign(active, { records, live }));
  return active;
}
