import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TallyRecord, toTally } from '../../../../services/contracts/tally.ts';
import { encodeContext } from '../../../../services/core/deciding/encode-context.ts';
import type { ArmId, DecisionId, ExperimentId } from '../../../../services/core/events.ts';
import type { Feature } from '../../../../services/core/experiment.ts';
import { MergedSums } from '../../../../services/core/learning/merge.ts';
import { type CohortSums, PartitionSums, type SumDelta } from '../../../../services/core/learning/sums.ts';
import { patternCount, patternFeatures, patternOf } from '../../../../services/core/patterns.ts';
import { N, SUM_R, VECTOR_START } from '../../../../services/core/sums/layout.ts';
import { allContexts } from '../../../support/definition.ts';

const NAMES = ['a', 'b', 'c'];
const plain: fc.Arbitrary<Feature[]> = fc
  .array(
    fc.oneof(
      fc.constant({ kind: 'boolean' as const }),
      fc.integer({ min: 1, max: 4 }).map((count) => ({ kind: 'category' as const, count })),
      fc.integer({ min: 2, max: 4 }).map((buckets) => ({ kind: 'hash' as const, buckets })),
    ),
    { maxLength: NAMES.length },
  )
  .map((shapes) =>
    shapes.map((shape, at): Feature => {
      const name = NAMES[at]!;
      if (shape.kind !== 'category') return { ...shape, name };
      return { kind: 'category', name, values: Array.from({ length: shape.count }, (_, value) => `v${value}`) };
    }),
  );
/** With a cross of the first two that can be, somewhere among them. */
const context = fc.tuple(plain, fc.nat(NAMES.length)).map(([features, place]): Feature[] => {
  const of = features.filter(({ kind }) => kind !== 'hash').map(({ name }) => name);
  if (of.length < 2) return features;
  return features.toSpliced(place % (features.length + 1), 0, { kind: 'cross', name: 'x', of: of.slice(0, 2) });
});

describe('the patterns of a context', () => {
  it('are as many as contexts can be told apart, each with a number of its own and back', () => {
    fc.assert(
      fc.property(context, (features) => {
        const encodings = allContexts(features).map((values) => encodeContext(features, values).features);
        expect(patternCount(features)).toBe(encodings.length);
        for (const [pattern, encoded] of encodings.entries()) {
          expect(patternOf(features, encoded, 1)).toBe(pattern);
          expect(patternFeatures(features, pattern)).toEqual(encoded);
        }
      }),
    );
  });

  it('leave out every vector that no context encodes as', () => {
    fc.assert(
      fc.property(
        context,
        fc.nat(),
        fc.nat(),
        fc.constantFrom(0, 1, 2, 0.5, -1, Number.NaN),
        (features, at, cell, value) => {
          const encodings = allContexts(features).map((values) => encodeContext(features, values).features);
          const vector = encodings[at % encodings.length]!.slice();
          if (vector.length > 0) vector[cell % vector.length] = value;
          const is = encodings.findIndex((encoded) => encoded.every((x, i) => x === vector[i]));
          expect(patternOf(features, vector, 1)).toBe(is < 0 ? null : is);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

const PATTERNS = 5;
const outcome = fc.constantFrom(null, 0, 1, 2 ** 20, 2 ** 19);
const move = fc.record({
  arm: fc.constantFrom('A', 'B', 'C'),
  pattern: fc.nat(PATTERNS - 1),
  before: outcome,
  after: outcome,
});
const moves = fc.array(move, { maxLength: 30 });

type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

/** Each decision comes without a reward, then moves once. */
function deltas({ arm, pattern, before, after }: Move): SumDelta[] {
  const slot = { armId: arm as ArmId, propensity: 0.25 };
  const decision = {
    seq: 0,
    decisionId: 'd' as DecisionId,
    experimentId: 'page' as ExperimentId,
    slots: [slot],
    heldOut: false,
    features: [],
    decidedAtMs: 0,
    clockMs: 0,
  };
  const known = { rewardUnits: before, firstDelayMs: null, clipped: false };
  const moved = { rewardUnits: after, firstDelayMs: null, clipped: false };
  const shared = {
    line: decision.experimentId,
    decision,
    slot,
    cohort: 0,
    delays: null,
    counted: { pattern, patterns: PATTERNS },
  };
  return [
    { ...shared, before: null, after: known },
    { ...shared, before: known, after: moved },
  ];
}

/** Takes back what `deltas` did. */
function undo(delta: SumDelta): SumDelta {
  return { ...delta, before: delta.after, after: { rewardUnits: null, firstDelayMs: null, clipped: false } };
}

function learned(all: readonly SumDelta[]): CohortSums {
  const sums = new PartitionSums();
  for (const delta of all) sums.apply(delta);
  return [...sums.entries()][0]?.sums ?? new Map();
}

/** The bytes of a tally, of which pulls are no part: a decision that was dealt stays dealt. */
function bytes(sums: CohortSums): TallyRecord {
  const cut = {
    partition: 0,
    partitions: 1,
    offsets: { decisions: 0, rewards: 0 },
    clocks: { decisions: 0, rewards: 0 },
  };
  return toTally({
    ...cut,
    kind: 'sums',
    experimentId: 'page' as ExperimentId,
    cohort: 0,
    rolledUp: false,
    changedTogether: 1,
    sums,
  });
}

describe('a table of counts by pattern', () => {
  it('has the counts and the rewards of each pattern apart, and their totals', () => {
    fc.assert(
      fc.property(moves, (all) => {
        const sums = learned(all.flatMap(deltas));
        for (const [arm, vector] of sums) {
          const own = all.filter((one) => one.arm === arm && one.after !== null);
          const cells = vector.toNumbers();
          for (let pattern = 0; pattern < PATTERNS; pattern++) {
            const of = own.filter((one) => one.pattern === pattern);
            expect(cells[VECTOR_START + pattern]).toBe(of.length);
            expect(cells[VECTOR_START + PATTERNS + pattern]).toBe(of.reduce((sum, one) => sum + one.after!, 0));
          }
          expect(cells[N]).toBe(own.length);
          expect(cells[SUM_R]).toBe(own.reduce((sum, one) => sum + one.after!, 0));
        }
      }),
    );
  });

  it('has the same bytes in any order, by any split and by any tree of merges', () => {
    fc.assert(
      fc.property(
        moves.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        fc.array(fc.nat(3), { minLength: 30, maxLength: 30 }),
        fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
        ([all, shuffled], partitionOf, order) => {
          const whole = bytes(learned(all.flatMap(deltas)));
          expect(bytes(learned(shuffled.flatMap(deltas)))).toEqual(whole);
          const merged = new MergedSums();
          // Each partition is taken in twice, first with half of what it has.
          for (const half of [true, false]) {
            for (const partition of order) {
              const own = shuffled.filter((_, at) => partitionOf[at] === partition);
              const known = half ? own.slice(own.length / 2) : own;
              merged.replace(partition, 0, learned(known.flatMap(deltas)));
            }
          }
          expect(bytes(merged.total())).toEqual(whole);
        },
      ),
    );
  });

  it('forgets what is taken back, so that nothing tells that it was ever there', () => {
    fc.assert(
      fc.property(moves, moves, (kept, retracted) => {
        const both = [...retracted, ...kept].flatMap(deltas);
        const back = retracted.map((one) => undo(deltas(one)[1]!));
        const never = [...retracted.map((one) => ({ ...one, before: null, after: null })), ...kept];
        expect(bytes(learned([...both, ...back]))).toEqual(bytes(learned(never.flatMap(deltas))));
      }),
    );
  });
});
