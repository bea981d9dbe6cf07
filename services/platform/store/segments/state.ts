/**
 * What a store knows of its segments: which there are, where each unit's and each name's newest record stands, and how many
 * records of each segment still count. The same steps run when something is put and when it is read back.
 */
import { unreadable } from './errors.ts';
import { slotOfPlace } from './place.ts';
import { PlaceIndex } from './place-index.ts';
import * as record from './record.ts';
import type { Segment } from './segment.ts';

/** Fewer segments are not worth writing anew. */
const COLLECTED_SEGMENTS_MIN = 4;
/** So many records to one that counts: fewer take less of the disk, and more of them have to be written anew. */
const COLLECTED_BELOW = 3;

export class State {
  index = new PlaceIndex();
  /** Places of the entries with names. */
  readonly named = new Map<string, number>();
  private readonly bySlot: (Segment | undefined)[] = [];
  /** How many there have been. */
  commits = 0;

  get segments(): Segment[] {
    return this.bySlot.filter((segment) => segment !== undefined);
  }

  /** @returns the segment that has the slot, if any. */
  at(slot: number): Segment | undefined {
    return this.bySlot[slot];
  }

  /** Slots are from 1. */
  freeSlot(): number {
    let slot = 1;
    while (this.bySlot[slot] !== undefined) slot += 1;
    return slot;
  }

  /** In place of whichever had its slot. */
  add(segment: Segment): void {
    this.bySlot[segment.slot] = segment;
  }

  remove({ slot }: Segment): void {
    this.bySlot[slot] = undefined;
  }

  /** A record of a unit is at `place`, in place of the one at `prior`, if any. */
  moveUnit(tag: number, place: number, prior: number): void {
    if (prior === 0) this.index.insert(tag, place);
    else {
      this.index.places[this.slotOf(tag, prior)] = place;
      this.drop(prior);
    }
    this.segmentOf(place).live += 1;
  }

  removeUnit(tag: number, prior: number): void {
    this.index.remove(this.slotOf(tag, prior));
    this.drop(prior);
  }

  moveNamed(name: string, place: number): void {
    const prior = this.named.get(name);
    if (prior !== undefined) this.drop(prior);
    this.named.set(name, place);
    this.segmentOf(place).live += 1;
  }

  removeNamed(name: string): void {
    const prior = this.named.get(name);
    if (prior !== undefined) this.drop(prior);
    this.named.delete(name);
  }

  /** Whether the record says what is, by its unit or name, which may be damaged. */
  isCurrent(bytes: record.Bytes, at: number, place: number): boolean {
    switch (record.kindAt(bytes, at)) {
      case record.UNIT:
        return this.index.slotOf(record.tagAt(bytes, at), place) >= 0;
      case record.NAMED:
        return this.named.get(record.keyAt(bytes, at)) === place;
      default:
        return false;
    }
  }

  /** By the share of each segment's records that count. */
  heldBytes(): number {
    let bytes = 0;
    for (const { records, live, end } of this.segments) if (records > 0) bytes += (end * live) / records;
    return Math.round(bytes);
  }

  /** @returns the sealed segment of which the least counts, `null` while a third of all records do. */
  leastLive(leftOut: readonly Segment[]): Segment | null {
    const sealed = this.segments.filter(
      (segment) => !segment.isGrowing() && !segment.isEmptied && !leftOut.includes(segment),
    );
    if (sealed.length < COLLECTED_SEGMENTS_MIN) return null;
    const records = sealed.reduce((sum, segment) => sum + segment.records, 0);
    const live = sealed.reduce((sum, segment) => sum + segment.live, 0);
    if (live * COLLECTED_BELOW > records) return null;
    const share = ({ live, records }: Segment): number => live / Math.max(1, records);
    return sealed.reduce((least, segment) => (share(segment) < share(least) ? segment : least));
  }

  segmentOf(place: number): Segment {
    const segment = this.bySlot[slotOfPlace(place)];
    if (segment === undefined) throw unreadable(`there is no segment for place ${place}`);
    return segment;
  }

  private drop(place: number): void {
    this.segmentOf(place).live -= 1;
  }

  private slotOf(tag: number, place: number): number {
    const slot = this.index.slotOf(tag, place);
    if (slot < 0) throw unreadable(`no unit stands at place ${place}, where a later record says that one did`);
    return slot;
  }
}
