import { expect, it } from 'vitest';
import type { ArmId, ExperimentId } from '../../../../services/core/events.ts';
import { ReportedSums } from '../../../../services/core/learning/reported.ts';
import type { CohortTally } from '../../../../services/core/learning/tally.ts';
import { ExactVector } from '../../../../services/core/sums/exact.ts';
import { PULLS, sumsLayout } from '../../../../services/core/sums/layout.ts';

const A = 'A' as ArmId;

/** Sums of so many decisions of one cohort, as of a cut. */
function tally(cohort: number, pulls: number, cut: number, overrides: Partial<CohortTally> = {}): CohortTally {
  const vector = new ExactVector(sumsLayout(0).size);
  vector.beginRound()[PULLS] = pulls;
  return {
    kind: 'sums',
    experimentId: 'coupon' as ExperimentId,
    partition: 0,
    partitions: 2,
    offsets: { decisions: cut, rewards: cut },
    clocks: { decisions: cut, rewards: cut },
    cohort,
    rolledUp: false,
    changedTogether: 1,
    sums: new Map([[A, vector]]),
    ...overrides,
  };
}

function pullsOf({ sums }: ReportedSums): number | undefined {
  return sums.total().get(A)?.toNumbers()[PULLS];
}

it('the sums are those of a cut only once all tallies that changed at it are there, in any order and repeated', () => {
  const reported = new ReportedSums();
  reported.accept(tally(1, 5, 10));
  expect(reported.isComplete()).toBe(true);
  reported.accept(tally(1, 6, 20, { changedTogether: 2 }));
  reported.accept(tally(1, 6, 20, { changedTogether: 2 }));
  expect(reported.isComplete()).toBe(false);
  reported.accept(tally(2, 3, 20, { changedTogether: 2 }));
  expect(reported.isComplete()).toBe(true);
  expect(reported.cuts().get(0)).toEqual({ decisions: 20, rewards: 20 });
  expect(pullsOf(reported)).toBe(9);
});

it('a partition that is half-way holds the others back', () => {
  const reported = new ReportedSums();
  reported.accept(tally(1, 5, 10));
  reported.accept(tally(1, 5, 10, { partition: 1, changedTogether: 2 }));
  expect(reported.isComplete()).toBe(false);
});

it('an older tally changes nothing, not even what is complete', () => {
  const reported = new ReportedSums();
  reported.accept(tally(1, 5, 20));
  expect(reported.accept(tally(1, 4, 10, { changedTogether: 2 }))).toBe('older');
  expect([pullsOf(reported), reported.isComplete()]).toEqual([5, true]);
});

it('a roll-up takes the place of the cohorts up to its own, whenever those are read', () => {
  const rolledUp = tally(2, 8, 20, { rolledUp: true });
  const cohorts = [tally(1, 5, 10), tally(2, 3, 15), tally(3, 1, 20)];
  for (const order of [
    [...cohorts, rolledUp],
    [rolledUp, ...cohorts],
    [cohorts[0]!, rolledUp, cohorts[2]!, cohorts[1]!],
  ]) {
    const reported = new ReportedSums();
    const receptions = order.map((one) => reported.accept(one));
    expect(pullsOf(reported)).toBe(9);
    expect(receptions.includes('older')).toBe(false);
    expect(reported.accept(cohorts[1]!)).toBe('covered');
    expect(reported.sums.newestCohort()).toBe(3);
  }
});

it('a cohort that reflects more than the roll-up that covers it is of another line of owners', () => {
  const reported = new ReportedSums();
  reported.accept(tally(2, 8, 20, { rolledUp: true }));
  expect(() => reported.accept(tally(1, 5, 30))).toThrow('reflects more than the roll-up through 2');
  expect(pullsOf(reported)).toBe(8);
});
