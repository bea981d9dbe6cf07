/**
 * The store on disk: a log of segments in which the newest record of a unit stands, and an index in memory of where.
 * What is touched is written anew at the end, so the newest segments, which are kept in memory, hold what was touched last;
 * all else costs one read. When most of what is on disk does not count any more, the segment with the least that does is
 * written anew too and goes. Owns the folder.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, Corrupt, Unavailable } from '../../../core/errors.ts';
import type { Due, Store } from '../port.ts';
import { encodeCheckpoint, removeCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { DueRow, IsCurrent } from './due-table.ts';
import { unreadable } from './errors.ts';
import { type FolderLock, lockFolder } from './lock.ts';
import { offsetOfPlace, placeOf, SLOTS_MAX } from './place.ts';
import { tagOf } from './place-index.ts';
import * as record from './record.ts';
import { RecordReader } from './record-reader.ts';
import { type Recovered, recover } from './recovery.ts';
import { SEGMENT_BYTES_MAX, SEGMENT_HEADER_BYTES, Segment } from './segment.ts';
import { State } from './state.ts';

export interface SegmentStoreOptions {
  readonly folder: string;
  /** Memory for the newest segments; one is always kept. */
  readonly cacheBytes: number;
  /** Size of a segment; the largest there is when left out. */
  readonly segmentBytes?: number;
  /** What was there could not be read: it has been removed, the store is empty. */
  onUnreadable(error: Corrupt): void;
}

/** Segments between two checkpoints, at least: what opening the store has to read. */
const CHECKPOINT_SEGMENTS_MIN = 8;
/** So many bytes of segments to one of a checkpoint, which holds the whole index. */
const CHECKPOINT_SHARE = 2;
const NO_BYTES = new record.Bytes(0);
const NOTHING = { prior: 0, due: 0, mark: 0, key: '', value: new Uint8Array(0) };
/** One for all stores of the process: a segment is read as a whole and done with at once. */
let whole: record.Bytes | null = null;

/** @throws Unavailable when another process has the folder open, or the disk refuses. */
export async function openSegmentStore(options: SegmentStoreOptions): Promise<Store> {
  await mkdir(options.folder, { recursive: true });
  const lock = await lockFolder(options.folder);
  try {
    return await SegmentStore.open(options, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class SegmentStore implements Store {
  private readonly options: SegmentStoreOptions;
  private readonly lock: FolderLock;
  private readonly segmentBytes: number;
  private state: State;
  private active: Segment;
  /** Sealed segments that are still in memory, the oldest first. */
  private kept: Segment[] = [];
  /** Sealed since the last commit. */
  private unwritten: Segment[] = [];
  private readonly spare: record.Bytes[] = [];
  private readonly reader = new RecordReader();
  private sealedSinceCheckpoint: Segment[];
  /** The one that is being written, `null` when none is. */
  private checkpoint: Promise<void> | null = null;
  private checkpointBytes = Buffer.from(new ArrayBuffer(0));
  private failure: unknown = null;
  /** Where the record looked at last stands. */
  private bytes = NO_BYTES;
  private at = 0;
  /** The unit looked up last, its tag, and its slot in the index, as long as that holds. */
  private unit: string | null = null;
  private tag = 0;
  private slot = -1;

  private constructor(options: SegmentStoreOptions, lock: FolderLock, { state, active, replayed }: Recovered) {
    this.options = options;
    this.lock = lock;
    this.segmentBytes = segmentBytesOf(options);
    this.state = state;
    this.active = active ?? this.begin(1);
    this.sealedSinceCheckpoint = [...replayed];
  }

  static async open(options: SegmentStoreOptions, lock: FolderLock): Promise<SegmentStore> {
    try {
      return new SegmentStore(options, lock, await recover(options.folder, segmentBytesOf(options)));
    } catch (error) {
      if (!(error instanceof Corrupt)) throw error;
      options.onUnreadable(error);
      const store = new SegmentStore(options, lock, { state: new State(), active: null, replayed: [] });
      await store.clear();
      return store;
    }
  }

  get(unit: string): Buffer | undefined {
    return this.find(unit) >= 0 ? record.valueAt(this.bytes, this.at) : undefined;
  }

  put(unit: string, value: Uint8Array, due: number, mark = 0): void {
    const slot = this.unit === unit ? this.slot : this.find(unit);
    const prior = slot < 0 ? 0 : this.state.index.places[slot]!;
    const { tag } = this;
    const place = this.append({ kind: record.UNIT, prior, due, mark, key: unit, value });
    this.state.moveUnit(tag, place, prior);
    if (due < Number.POSITIVE_INFINITY) this.active.addDue({ due, tag, offset: offsetOfPlace(place), mark });
    this.unit = null;
  }

  delete(unit: string): void {
    const slot = this.unit === unit ? this.slot : this.find(unit);
    if (slot >= 0) this.deleteAt(this.tag, this.state.index.places[slot]!);
  }

  private deleteAt(tag: number, place: number): void {
    this.append({ ...NOTHING, kind: record.GONE, prior: place, due: tag });
    this.state.removeUnit(tag, place);
    this.unit = null;
  }

  *takeDue(upTo: number): Generator<Due> {
    for (const segment of this.state.segments) {
      if (segment.isEmptied) continue;
      const placeAt = (offset: number): number => placeOf(segment.slot, offset);
      const isCurrent: IsCurrent = (tag, offset) => this.state.index.slotOf(tag, placeAt(offset)) >= 0;
      for (const row of segment.takeDue(upTo, isCurrent)) yield this.dueAt(placeAt(row.offset), row);
    }
  }

  private dueAt(place: number, { tag, mark }: DueRow): Due {
    const read = (): readonly [string, Buffer] => {
      this.load(place);
      const unit = record.keyAt(this.bytes, this.at);
      this.foundAt(this.state.index.slotOf(tag, place), unit, tag);
      return [unit, record.valueAt(this.bytes, this.at)];
    };
    return { mark, read, delete: () => this.deleteAt(tag, place) };
  }

  *units(): Generator<readonly [string, Buffer]> {
    for (const place of this.state.index.places) {
      if (place === 0) continue;
      this.load(place);
      yield [record.keyAt(this.bytes, this.at), record.valueAt(this.bytes, this.at)];
    }
  }

  getNamed(name: string): Buffer | undefined {
    const place = this.state.named.get(name);
    if (place === undefined) return undefined;
    this.load(place);
    return record.valueAt(this.bytes, this.at);
  }

  putNamed(name: string, value: Uint8Array): void {
    this.state.moveNamed(name, this.append({ ...NOTHING, kind: record.NAMED, key: name, value }));
  }

  deleteNamed(name: string): void {
    if (!this.state.named.has(name)) return;
    this.append({ ...NOTHING, kind: record.UNNAMED, key: name });
    this.state.removeNamed(name);
  }

  names(): string[] {
    return [...this.state.named.keys()];
  }

  heldBytes(): number {
    return this.state.heldBytes();
  }

  async commit(): Promise<void> {
    if (this.failure !== null) throw refusedCommit(this.failure);
    this.collect();
    this.append({ ...NOTHING, kind: record.COMMIT, due: this.state.commits });
    this.state.commits += 1;
    try {
      for (const segment of this.unwritten) await segment.write();
      await this.active.write();
    } catch (error) {
      throw refusedCommit(error);
    }
    this.unwritten = [];
    this.forget();
    if (this.isCheckpointDue()) {
      await this.checkpoint;
      this.beginCheckpoint();
    }
  }

  async clear(): Promise<void> {
    await this.stop();
    await rmFiles(this.options.folder);
    this.state = new State();
    [this.kept, this.unwritten, this.sealedSinceCheckpoint] = [[], [], []];
    [this.unit, this.failure] = [null, null];
    this.active = this.begin(1);
  }

  async close(): Promise<void> {
    await this.stop();
    await this.lock.release();
  }

  async destroy(): Promise<void> {
    await this.close();
    await rm(this.options.folder, { recursive: true, force: true });
  }

  private async stop(): Promise<void> {
    await this.checkpoint;
    for (const segment of this.state.segments) segment.close();
  }

  /** @returns the unit's slot in the index, −1 when there is none; its record is the one looked at. */
  private find(unit: string): number {
    const { index } = this.state;
    const tag = tagOf(unit);
    let slot = index.first(tag);
    for (; slot >= 0; slot = index.next(slot)) {
      this.load(index.places[slot]!);
      if (record.hasKey(this.bytes, this.at, unit)) break;
    }
    this.foundAt(slot, unit, tag);
    return slot;
  }

  private foundAt(slot: number, unit: string, tag: number): void {
    this.unit = unit;
    this.tag = tag;
    this.slot = slot;
  }

  /** Has a look at a record, in memory or in its file. */
  private load(place: number): void {
    const segment = this.state.segmentOf(place);
    const offset = offsetOfPlace(place);
    const { memory } = segment;
    this.bytes = memory ?? this.reader.read(segment, offset);
    this.at = memory === null ? 0 : offset;
  }

  /** @returns the place of the new record. */
  private append(fields: record.RecordFields): number {
    const bytesMax = record.recordBytesMax(fields);
    assert(
      bytesMax <= this.segmentBytes - SEGMENT_HEADER_BYTES,
      `${bytesMax} bytes to store, a segment has ${this.segmentBytes}`,
    );
    const active = this.activeWith(bytesMax);
    const at = active.end;
    const length = record.writeRecord(active.memory!, at, fields);
    active.end = at + record.alignedTo8(length);
    if (record.hasValue(fields.kind)) active.records += 1;
    return placeOf(active.slot, at);
  }

  /** @returns the segment that is written to, with room for so much. */
  private activeWith(bytes: number): Segment {
    if (this.active.end + bytes > this.segmentBytes) this.roll();
    return this.active;
  }

  /** Seals the segment that is written to and begins another. */
  private roll(): void {
    const sealed = this.active;
    sealed.seal();
    this.kept.push(sealed);
    this.unwritten.push(sealed);
    this.sealedSinceCheckpoint.push(sealed);
    this.active = this.begin(sealed.number + 1);
  }

  private begin(number: number): Segment {
    const slot = this.state.freeSlot();
    if (slot > SLOTS_MAX) throw new Unavailable('store-full', `store ${this.options.folder} has ${SLOTS_MAX} segments`);
    const memory = this.spare.pop() ?? new record.Bytes(this.segmentBytes);
    const segment = Segment.begin({ folder: this.options.folder, number, slot }, memory);
    this.state.add(segment);
    return segment;
  }

  /** Lets go of the memory of segments that are on disk, beyond what is to be kept. */
  private forget(): void {
    const keptMax = Math.max(0, Math.floor(this.options.cacheBytes / this.segmentBytes) - 1);
    while (this.kept.length > keptMax) {
      const segment = this.kept.shift()!;
      if (this.spare.length === 0) this.spare.push(segment.memory!);
      segment.memory = null;
    }
  }

  /** Once less than a third of all records count, writes the segments with the least that do anew: as many as came, and one. */
  private collect(): void {
    for (let more = this.unwritten.length + 1; more > 0; more--) {
      const victim = this.state.leastLive(this.unwritten);
      if (victim === null) return;
      this.empty(victim);
    }
  }

  /** What does not count any more is passed over without a look at whether it is intact. */
  private empty(victim: Segment): void {
    const bytes = victim.memory ?? this.readWhole(victim);
    let at = SEGMENT_HEADER_BYTES;
    while (victim.live > 0 && record.isWhole(bytes, at, victim.end)) {
      const place = placeOf(victim.slot, at);
      if (this.state.isCurrent(bytes, at, place)) {
        if (!record.isIntact(bytes, at, victim.end)) throw unreadable(`${victim.path} is damaged at ${at}`);
        this.move(bytes, at, place);
      }
      at += record.alignedTo8(record.lengthAt(bytes, at));
    }
    if (victim.live > 0) throw unreadable(`${victim.path} is damaged before ${at}`);
    victim.isEmptied = true;
  }

  private move(bytes: record.Bytes, at: number, place: number): void {
    if (record.kindAt(bytes, at) === record.NAMED) {
      this.putNamed(record.keyAt(bytes, at), record.valueAt(bytes, at));
      return;
    }
    const active = this.activeWith(record.alignedTo8(record.lengthAt(bytes, at)));
    const moved = active.end;
    active.end += record.copyRecord(bytes, at, active.memory!, moved, place);
    active.records += 1;
    const tag = record.tagAt(bytes, at);
    this.state.moveUnit(tag, placeOf(active.slot, moved), place);
    const due = record.dueAt(bytes, at);
    if (due < Number.POSITIVE_INFINITY) active.addDue({ due, tag, offset: moved, mark: record.markAt(bytes, at) });
  }

  private readWhole(segment: Segment): record.Bytes {
    whole ??= new record.Bytes(SEGMENT_BYTES_MAX);
    if (segment.read(0, whole, segment.end) < segment.end) throw unreadable(`${segment.path} is shorter than it was`);
    return whole;
  }

  private isCheckpointDue(): boolean {
    const { tags, places } = this.state.index;
    const least = (CHECKPOINT_SHARE * (tags.byteLength + places.byteLength)) / this.segmentBytes;
    return this.sealedSinceCheckpoint.length >= Math.max(CHECKPOINT_SEGMENTS_MIN, least);
  }

  /** Goes on while commits do, one at a time since each is as large as the index; that it failed the next commit says. */
  private beginCheckpoint(): void {
    const { folder } = this.options;
    const flushed = this.sealedSinceCheckpoint;
    this.sealedSinceCheckpoint = [];
    const { state, active } = this;
    const all = state.segments;
    const sealed = all.filter((segment) => segment !== active && !segment.isEmptied);
    const emptied = all.filter((segment) => segment.isEmptied);
    this.checkpointBytes = encodeCheckpoint(this.checkpointBytes, {
      commits: state.commits,
      sealed: sealed.map((segment) => segment.summary()),
      active: { ...active.summary(), end: active.end },
      named: [...state.named],
      index: state.index,
    });
    this.checkpoint = (async () => {
      for (const segment of flushed) if (!segment.isEmptied) await segment.flush();
      await active.flush();
      await writeCheckpoint(folder, this.checkpointBytes);
      for (const segment of emptied) await this.drop(segment);
    })()
      .catch((error: unknown) => {
        this.failure = error;
      })
      .finally(() => {
        this.checkpoint = null;
      });
  }

  private async drop(segment: Segment): Promise<void> {
    await segment.remove();
    this.state.remove(segment);
    this.kept = this.kept.filter((kept) => kept !== segment);
  }
}

function segmentBytesOf({ segmentBytes }: SegmentStoreOptions): number {
  return Math.min(segmentBytes ?? SEGMENT_BYTES_MAX, SEGMENT_BYTES_MAX);
}

function refusedCommit(error: unknown): Unavailable {
  return new Unavailable('store-commit', `the store refused a commit: ${String(error)}`, { cause: error });
}

async function rmFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name.endsWith('.segment')) await rm(join(folder, name), { force: true });
  await removeCheckpoint(folder);
}
