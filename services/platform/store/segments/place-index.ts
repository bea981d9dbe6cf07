/**
 * Where the newest record of each unit stands: an open hash table of 8 bytes a slot. A tag is 32 bits of a unit's hash, so
 * two units may share one; who looks a unit up compares the record's key. Owns the table. Not here: what a place is.
 */

/** Linear probing, backward shift on removal; a place of 0 marks an empty slot. */
export class PlaceIndex {
  tags: Uint32Array;
  places: Uint32Array;
  size = 0;
  private mask: number;

  constructor(capacity = CAPACITY_MIN) {
    this.tags = new Uint32Array(capacity);
    this.places = new Uint32Array(capacity);
    this.mask = capacity - 1;
  }

  /** @returns the first slot with the tag, −1 when there is none. */
  first(tag: number): number {
    return this.scan(tag, mixed(tag) & this.mask);
  }

  /** @returns the slot with the same tag that follows, −1 when there is none. */
  next(slot: number): number {
    return this.scan(this.tags[slot]!, (slot + 1) & this.mask);
  }

  /** @returns the slot that has both, −1 when there is none. */
  slotOf(tag: number, place: number): number {
    let slot = this.first(tag);
    while (slot >= 0 && this.places[slot] !== place) slot = this.next(slot);
    return slot;
  }

  /** Adds an entry; slots known before do not hold any more. */
  insert(tag: number, place: number): void {
    if (this.size * LOAD_OF >= this.tags.length * LOAD_MAX) this.grow();
    this.put(tag, place);
    this.size += 1;
  }

  /** Removes an entry; slots known before do not hold any more. */
  remove(slot: number): void {
    let hole = slot;
    for (let at = (hole + 1) & this.mask; this.places[at] !== 0; at = (at + 1) & this.mask) {
      const home = mixed(this.tags[at]!) & this.mask;
      // Whether the hole lies on the way from its home to where it stands.
      if (((at - home) & this.mask) < ((at - hole) & this.mask)) continue;
      this.tags[hole] = this.tags[at]!;
      this.places[hole] = this.places[at]!;
      hole = at;
    }
    this.places[hole] = 0;
    this.size -= 1;
  }

  static from(tags: Uint32Array, places: Uint32Array, size: number): PlaceIndex {
    const index = new PlaceIndex(tags.length);
    index.tags.set(tags);
    index.places.set(places);
    index.size = size;
    return index;
  }

  private scan(tag: number, from: number): number {
    const { tags, places, mask } = this;
    for (let slot = from; places[slot] !== 0; slot = (slot + 1) & mask) if (tags[slot] === tag) return slot;
    return -1;
  }

  private put(tag: number, place: number): void {
    let slot = mixed(tag) & this.mask;
    while (this.places[slot] !== 0) slot = (slot + 1) & this.mask;
    this.tags[slot] = tag;
    this.places[slot] = place;
  }

  private grow(): void {
    const { tags, places } = this;
    this.tags = new Uint32Array(tags.length * 2);
    this.places = new Uint32Array(tags.length * 2);
    this.mask = tags.length * 2 - 1;
    for (let slot = 0; slot < tags.length; slot++) if (places[slot] !== 0) this.put(tags[slot]!, places[slot]!);
  }
}

/** A power of two. */
const CAPACITY_MIN = 4_096;
/** At most 3/4 full. */
const LOAD_MAX = 3;
const LOAD_OF = 4;

function mixed(tag: number): number {
  const x = Math.imul(tag ^ (tag >>> 16), 0x45d9f3b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** @returns 32 bits of the text's hash. Source: murmur3, over UTF-16 units in place of words. */
export function tagOf(text: string): number {
  let hash = text.length;
  for (let i = 0; i < text.length; i++) hash = withUnit(hash, text.charCodeAt(i));
  return finished(hash);
}

/** @returns the same of a text that stands there in ASCII. */
export function tagOfAscii(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = withUnit(hash, bytes[i]!);
  return finished(hash);
}

function withUnit(hash: number, unit: number): number {
  const k = Math.imul(unit, 0xcc9e2d51);
  const x = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0;
}

function finished(hash: number): number {
  let x = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
