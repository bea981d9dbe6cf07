/**
 * When the units of a segment are due: rows of (due, tag, offset, mark). While the segment grows, in memory and unordered; once
 * it is sealed, at its end on disk, by due time, in pages with a checksum each, read one at a time from the front.
 */
import { unreadable } from './errors.ts';
import { Bytes, checksum } from './record.ts';

export interface DueRow {
  readonly due: number;
  readonly tag: number;
  readonly offset: number;
  readonly mark: number;
}

/** Whether the unit's record is still the one there: most rows are of records that others have taken the place of. */
export type IsCurrent = (tag: number, offset: number) => boolean;

/** An offset is a multiple of 8 in a segment, which leaves room for a mark beside it. */
const OFFSET_BITS = 20;
const ROW_BYTES = 16;
const PAGE_ROWS = 512;
/** Rows, then a checksum and how many rows there are. */
const PAGE_BYTES = PAGE_ROWS * ROW_BYTES + 8;

/** Of the segment that is written to. */
export class GrowingDues {
  /** No row is due before it. */
  earliest = Number.POSITIVE_INFINITY;
  private dues = new Float64Array(PAGE_ROWS);
  private tags = new Uint32Array(PAGE_ROWS);
  private ends = new Uint32Array(PAGE_ROWS);
  private length = 0;

  add({ due, tag, offset, mark }: DueRow): void {
    if (this.length === this.dues.length) this.grow();
    this.dues[this.length] = due;
    this.tags[this.length] = tag;
    this.ends[this.length] = packed(offset, mark);
    this.length += 1;
    if (due < this.earliest) this.earliest = due;
  }

  /** Gives what is due and current; what was due is not given again. Rows may be added meanwhile. */
  *take(upTo: number, isCurrent: IsCurrent): Generator<DueRow> {
    if (this.earliest > upTo) return;
    let earliest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.length; i++) {
      const due = this.dues[i]!;
      if (due <= upTo) {
        this.dues[i] = Number.POSITIVE_INFINITY;
        const row = currentRow(due, this.tags[i]!, this.ends[i]!, isCurrent);
        if (row !== null) yield row;
      } else if (due < earliest) earliest = due;
    }
    this.earliest = earliest;
  }

  /** @returns what has not been taken as the pages of a sealed segment. */
  toPages(): Bytes {
    const order = this.inOrder();
    const pages = new Bytes(Math.ceil(order.length / PAGE_ROWS) * PAGE_BYTES);
    for (let page = 0; page * PAGE_ROWS < order.length; page++) {
      const rows = order.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS);
      const start = page * PAGE_BYTES;
      for (const [at, i] of rows.entries()) {
        pages.doubles[start / 8 + at * 2] = this.dues[i]!;
        pages.words[start / 4 + at * 4 + 2] = this.tags[i]!;
        pages.words[start / 4 + at * 4 + 3] = this.ends[i]!;
      }
      const end = start / 4 + PAGE_ROWS * 4;
      pages.words[end + 1] = rows.length;
      pages.words[end] = pageChecksum(pages, start);
    }
    return pages;
  }

  /** @returns the rows by when they are due. Few times are different, so they are sorted and not the rows. */
  private inOrder(): number[] {
    const byDue = new Map<number, number[]>();
    for (let i = 0; i < this.length; i++) {
      const due = this.dues[i]!;
      if (due === Number.POSITIVE_INFINITY) continue;
      const rows = byDue.get(due);
      if (rows === undefined) byDue.set(due, [i]);
      else rows.push(i);
    }
    const dues = [...byDue.keys()].sort((a, b) => a - b);
    return dues.flatMap((due) => byDue.get(due)!);
  }

  private grow(): void {
    const { dues, tags, ends, length } = this;
    this.dues = new Float64Array(length * 2);
    this.tags = new Uint32Array(length * 2);
    this.ends = new Uint32Array(length * 2);
    this.dues.set(dues);
    this.tags.set(tags);
    this.ends.set(ends);
  }
}

/** Of a sealed segment: remembers how far it has been taken. */
export class SealedDues {
  private readonly read: (at: number, into: Bytes) => void;
  private readonly pageCount: number;
  private page = 0;
  private rowAt = 0;
  /** No row that was not taken is due before it; −∞ before the first look. */
  private earliest = Number.NEGATIVE_INFINITY;

  /** @param length bytes of all pages. @param read fills the bytes from so far into the pages. */
  constructor(length: number, read: (at: number, into: Bytes) => void) {
    this.pageCount = length / PAGE_BYTES;
    this.read = read;
  }

  /** Gives what is due and current; what was due is not given again. */
  *take(upTo: number, isCurrent: IsCurrent): Generator<DueRow> {
    while (this.page < this.pageCount && this.earliest <= upTo) {
      const bytes = new Bytes(PAGE_BYTES);
      this.read(this.page * PAGE_BYTES, bytes);
      if (bytes.words[PAGE_ROWS * 4] !== pageChecksum(bytes, 0)) {
        throw unreadable('a table of due units is not what was written');
      }
      const rows = bytes.words[PAGE_ROWS * 4 + 1]!;
      while (this.rowAt < rows) {
        const at = this.rowAt;
        const due = bytes.doubles[at * 2]!;
        this.earliest = due;
        if (due > upTo) return;
        this.rowAt += 1;
        const row = currentRow(due, bytes.words[at * 4 + 2]!, bytes.words[at * 4 + 3]!, isCurrent);
        if (row !== null) yield row;
      }
      this.page += 1;
      this.rowAt = 0;
    }
  }
}

function packed(offset: number, mark: number): number {
  return ((offset >>> 3) | (mark << OFFSET_BITS)) >>> 0;
}

function currentRow(due: number, tag: number, end: number, isCurrent: IsCurrent): DueRow | null {
  const offset = (end & (2 ** OFFSET_BITS - 1)) << 3;
  return isCurrent(tag, offset) ? { due, tag, offset, mark: end >>> OFFSET_BITS } : null;
}

function pageChecksum({ words }: Bytes, start: number): number {
  const end = start / 4 + PAGE_ROWS * 4;
  return (checksum(words, start / 4, end) ^ words[end + 1]!) >>> 0;
}
