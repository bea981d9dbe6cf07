import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADDEND_MAX } from '../../../../services/core/quantize.ts';
import { ExactVector } from '../../../../services/core/sums/exact.ts';

const SIZE = 3;
const CARRY = BigInt(ADDEND_MAX);

const addend = fc.oneof(
  fc.integer({ min: -ADDEND_MAX, max: ADDEND_MAX }),
  fc.constantFrom(0, 1, -1, ADDEND_MAX, -ADDEND_MAX, ADDEND_MAX - 1),
);
const round = fc.array(addend, { minLength: SIZE, maxLength: SIZE });
const rounds = fc.array(round, { maxLength: 40 });

function sumOf(rows: readonly (readonly number[])[], into = new ExactVector(SIZE)): ExactVector {
  for (const row of rows) {
    const cells = into.beginRound();
    row.forEach((value, i) => {
      cells[i]! += value;
    });
  }
  return into;
}

/** Every bit of the normal form, the sign of zero included. */
function bytes(vector: ExactVector): string {
  vector.normalize();
  return Buffer.concat([vector.hi, vector.lo].map((cells) => Buffer.from(cells.buffer))).toString('hex');
}

function exactValues(vector: ExactVector): bigint[] {
  vector.normalize();
  return [...vector.lo].map((lo, i) => BigInt(vector.hi[i]!) * CARRY + BigInt(lo));
}

/** The vector of these values, as the sums would have it after however many additions. */
function normalForm(values: readonly bigint[]): ExactVector {
  const lo = values.map((value) => ((value % CARRY) + CARRY) % CARRY);
  const hi = values.map((value, i) => (value - lo[i]!) / CARRY);
  return ExactVector.from(Float64Array.from(hi, Number), Float64Array.from(lo, Number));
}

function exactSums(rows: readonly (readonly number[])[]): bigint[] {
  return Array.from({ length: SIZE }, (_, i) => rows.reduce((total, row) => total + BigInt(row[i]!), 0n));
}

/** Cuts the rows into parts and merges their sums pairwise in the order that the picks give. */
function mergeTree(rows: readonly number[][], cuts: readonly number[], picks: readonly number[]): ExactVector {
  const bounds = [0, ...cuts.map((cut) => cut % (rows.length + 1)).sort((a, b) => a - b), rows.length];
  const parts = bounds.slice(1).map((end, i) => sumOf(rows.slice(bounds[i], end)));
  for (let i = 0; parts.length > 1; i++) {
    const [part] = parts.splice((picks[i] ?? 0) % parts.length, 1);
    parts[(picks[i + 1] ?? 0) % parts.length]!.addVector(part!, 1);
  }
  return parts[0]!;
}

describe('exact sums', () => {
  it('are the sums of integers, whatever the order', () => {
    fc.assert(
      fc.property(
        rounds.chain((rows) => fc.tuple(fc.constant(rows), fc.shuffledSubarray(rows, { minLength: rows.length }))),
        ([rows, shuffled]) => {
          expect(exactValues(sumOf(rows))).toEqual(exactSums(rows));
          expect(bytes(sumOf(shuffled))).toBe(bytes(sumOf(rows)));
        },
      ),
    );
  });

  it('have the same bytes by any split and any tree of merges', () => {
    const naturals = fc.array(fc.nat(100), { maxLength: 8 });
    fc.assert(
      fc.property(rounds, naturals, naturals, (rows, cuts, picks) => {
        expect(bytes(mergeTree(rows, cuts, picks))).toBe(bytes(sumOf(rows)));
      }),
    );
  });

  it('forget what is inserted and retracted, by rounds and by vectors, in any order', () => {
    fc.assert(
      fc.property(rounds, rounds, fc.boolean(), (kept, retracted, byVector) => {
        const vector = sumOf([...retracted, ...kept]);
        if (byVector) vector.addVector(sumOf(retracted), -1);
        else sumOf(retracted.map((row) => row.map((value) => -value)).reverse(), vector);
        expect(bytes(vector)).toBe(bytes(sumOf(kept)));
        expect(vector.isZero()).toBe(exactSums(kept).every((value) => value === 0n));
      }),
    );
  });

  it('keep their normal form: 0 ≤ lo < 2⁴⁰, whole, and never −0', () => {
    fc.assert(
      fc.property(rounds, (rows) => {
        const vector = sumOf([[-0, -0, -0], ...rows, ...rows.map((row) => row.map((value) => -value))]);
        vector.addVector(sumOf(rows), -1);
        vector.addVector(sumOf(rows), 1);
        vector.normalize();
        for (const cell of [...vector.hi, ...vector.lo]) {
          expect(Number.isSafeInteger(cell)).toBe(true);
          expect(Object.is(cell, -0)).toBe(false);
        }
        for (const lo of vector.lo) expect(lo >= 0 && lo < ADDEND_MAX).toBe(true);
      }),
    );
  });

  it.each([1, 4_095, 4_096, 4_097, 20_000])('stay exact over %i additions of the largest addends', (additions) => {
    const rows = Array.from({ length: additions }, (_, i) => [ADDEND_MAX, -ADDEND_MAX, ADDEND_MAX - (i % 3)]);
    const vector = sumOf(rows);
    expect(vector.lo.every((lo) => Math.abs(lo) < 2 ** 53)).toBe(true);
    expect(exactValues(vector)).toEqual(exactSums(rows));
  });

  /**
   * Two facts make any number of additions exact. Within one budget of rounds lo stays below 2⁵³, from whatever normal form
   * it starts; and a normal form of 10⁹ additions has a hi far below 2⁵³. So it is enough to pass the budget's end there.
   */
  it('stay exact at 10⁹ additions of the largest addends, without running them', () => {
    const additions = 1_000_000_000;
    const tail = 10_000;
    const largest = [ADDEND_MAX, -ADDEND_MAX, ADDEND_MAX - 1];
    const before = largest.map((value) => BigInt(value) * BigInt(additions - tail));
    const vector = normalForm(before);
    let loMost = 0;
    for (let i = 1; i <= tail; i++) {
      const cells = vector.beginRound();
      largest.forEach((value, cell) => {
        cells[cell]! += value;
      });
      loMost = Math.max(loMost, ...cells.map(Math.abs));
    }
    expect(loMost).toBeLessThan(2 ** 53);
    expect(exactValues(vector)).toEqual(largest.map((value) => BigInt(value) * BigInt(additions)));
    expect(Math.max(...vector.hi.map(Math.abs))).toBeLessThan(2 ** 31);
    vector.addVector(normalForm(before), -1);
    expect(exactValues(vector)).toEqual(largest.map((value) => BigInt(value) * BigInt(tail)));
  });

  it('pass their carry budget from any normal form without a lo of 2⁵³', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 90n), 2n ** 90n), fc.constantFrom(ADDEND_MAX, -ADDEND_MAX), (start, value) => {
        const vector = normalForm([start]);
        let loMost = 0;
        for (let i = 0; i < 4_100; i++) {
          const cells = vector.beginRound();
          cells[0]! += value;
          loMost = Math.max(loMost, Math.abs(cells[0]!));
        }
        expect(loMost).toBeLessThan(2 ** 53);
        expect(exactValues(vector)).toEqual([start + 4_100n * BigInt(value)]);
      }),
      { numRuns: 30 },
    );
  });

  it('are given as numbers rounded once', () => {
    const rows = Array.from({ length: 10_000 }, () => [ADDEND_MAX - 1, 1, -ADDEND_MAX]);
    expect([...sumOf(rows).toNumbers()]).toEqual(exactSums(rows).map(Number));
  });

  it('tell two sums apart that float64 would not', () => {
    const rows = Array.from({ length: 20_000 }, () => [ADDEND_MAX, 0, 0]);
    expect(Number(exactSums([...rows, [1, 0, 0]])[0])).toBe(Number(exactSums(rows)[0]));
    expect(bytes(sumOf([...rows, [1, 0, 0]]))).not.toBe(bytes(sumOf(rows)));
  });
});
