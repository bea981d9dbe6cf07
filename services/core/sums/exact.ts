/**
 * Exact sums: vectors of integers far beyond 2⁵³, kept as float64 pairs (hi, lo) with value hi·2⁴⁰ + lo.
 *
 * Each addend is a whole number of at most 2⁴⁰ units (quantize.ts), so lo stays below 2⁵³ for 4,096 additions; then
 * what exceeds 2⁴⁰ is carried into hi. Integer addition is associative and commutative, so any order, batching,
 * merge tree or retraction gives the same value, and the normal form (0 ≤ lo < 2⁴⁰) gives the same bits.
 * hi is exact up to 2⁵³·2⁴⁰ units: 2⁵³ additions of the largest addend.
 */
import { assert } from '../errors.ts';
import { ADDEND_MAX } from '../quantize.ts';

const CARRY = ADDEND_MAX;
const ADDITIONS_MAX = 4096;

export class ExactVector {
  readonly hi: Float64Array;
  readonly lo: Float64Array;
  private additions = 0;

  constructor(size: number) {
    this.hi = new Float64Array(size);
    this.lo = new Float64Array(size);
  }

  get size(): number {
    return this.lo.length;
  }

  /**
   * Call before a round that adds at most one addend to each cell; then add to `lo` directly.
   * A round is the unit of the carry budget: 4,096 rounds of addends ≤ 2⁴⁰ cannot pass 2⁵³.
   */
  beginRound(): Float64Array {
    if (this.additions === ADDITIONS_MAX - 1) this.normalize();
    this.additions++;
    return this.lo;
  }

  /** this += sign · other, cell by cell; sign is +1 or −1. */
  addVector(other: ExactVector, sign: 1 | -1): void {
    assert(other.size === this.size, `sizes ${other.size} and ${this.size} differ`);
    other.normalize();
    this.normalize();
    for (let i = 0; i < this.size; i++) {
      this.hi[i]! += sign * other.hi[i]!;
      this.lo[i]! += sign * other.lo[i]!;
    }
    this.normalize();
  }

  /** Brings every cell to its one canonical pair: 0 ≤ lo < 2⁴⁰. */
  normalize(): void {
    const { hi, lo } = this;
    for (let i = 0; i < lo.length; i++) {
      const carry = Math.floor(lo[i]! / CARRY);
      hi[i]! += carry;
      lo[i] = lo[i]! - carry * CARRY + 0;
    }
    this.additions = 0;
  }

  isZero(): boolean {
    this.normalize();
    return this.hi.every((cell) => cell === 0) && this.lo.every((cell) => cell === 0);
  }

  /** @returns the cells in whole units as float64, each rounded once. The vector is normalised on the way. */
  toNumbers(): Float64Array {
    this.normalize();
    return Float64Array.from(this.lo, (lo, i) => this.hi[i]! * CARRY + lo);
  }

  /** @returns one cell in whole units as float64, rounded once. */
  number(cell: number): number {
    return this.hi[cell]! * CARRY + this.lo[cell]!;
  }

  copy(): ExactVector {
    this.normalize();
    return ExactVector.from(this.hi, this.lo);
  }

  /** @param hi canonical high cells. @param lo canonical low cells, 0 ≤ lo < 2⁴⁰. */
  static from(hi: Float64Array, lo: Float64Array): ExactVector {
    const vector = new ExactVector(lo.length);
    vector.hi.set(hi);
    vector.lo.set(lo);
    return vector;
  }
}
