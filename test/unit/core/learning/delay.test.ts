import { describe, expect, it } from 'vitest';
import type { Statistics } from '../../../../services/core/deciding/snapshot.ts';
import { Corrupt } from '../../../../services/core/errors.ts';
import type { ArmId } from '../../../../services/core/events.ts';
import { DELAY_MODES, type DelayMode, type Experiment } from '../../../../services/core/experiment.ts';
import { delayDistribution, matureBefore, shownShares } from '../../../../services/core/learning/delay.ts';
import { MergedSums } from '../../../../services/core/learning/merge.ts';
import { rolledUpBefore } from '../../../../services/core/learning/roll-up.ts';
import { buildParameters } from '../../../../services/core/learning/snapshot.ts';
import { DELAYS } from '../../../../services/core/learning/sums.ts';
import { weighedSums } from '../../../../services/core/learning/weighing.ts';
import {
  bucketEndMs,
  DELAY_BUCKETS,
  DELAY_TICKS,
  DELAYS_SIZE,
  FIRST_REWARDS,
} from '../../../../services/core/sums/delays.ts';
import { ExactVector } from '../../../../services/core/sums/exact.ts';
import {
  gramStart,
  N,
  PULLS,
  patternLayout,
  SUM_R,
  SUM_RR,
  sumsLayout,
  VECTOR_START,
} from '../../../../services/core/sums/layout.ts';
import { experiment } from '../../../support/core.ts';
import { DAY_MS, type LateWorld, lateEvents, lateExperiment, learnedSums } from '../../../support/late-world.ts';
import { rewardSpec } from '../../../support/reward-spec.ts';

/** Delays of 10 days in the mean, and an arm that has been there for 3. */
const WORLD: LateWorld = {
  arms: [
    { id: 'old', days: 90, decisions: 30_000, rate: 0.05 },
    { id: 'new', days: 3, decisions: 30_000, rate: 0.12 },
  ],
  delayDaysMean: 10,
  windowDays: 60,
  cohortMs: DAY_MS,
  endDay: 100.4,
};
const EVENTS = lateEvents(WORLD, 1);

interface Read {
  readonly old: Statistics;
  readonly new: Statistics;
  /** By arm. */
  readonly beta: readonly number[];
}

function read(delay: DelayMode): Read {
  const definition = lateExperiment(WORLD, delay);
  const { arms, policies } = buildParameters(definition, learnedSums(EVENTS, definition));
  return { old: arms[0]!, new: arms[1]!, beta: [...policies[0]!.state.get('beta')!] };
}

const rateOf = ({ n, sumR }: Statistics): number => sumR / n;

describe('rewards that come late', () => {
  it('make a new arm look bad while what has not come yet counts as nothing', () => {
    const meanShown = 1 - (1 - Math.exp(-0.3)) / 0.3;
    expect(0.12 * meanShown).toBeCloseTo(0.0163, 4);
    expect(rateOf(read('impute').new)).toBeCloseTo(0.0163, 2);
  });

  it('make it look perfect while only what has come counts', () => {
    expect(rateOf(read('labelled').new)).toBe(1);
    expect(rateOf(read('labelled').old)).toBe(1);
  });

  it('leave it unknown while only mature cohorts count, and the old one is read right', () => {
    const { old, new: young, beta } = read('mature');
    expect([young.n, young.sumR, young.pulls]).toEqual([0, 0, 30_000]);
    expect(beta[1]).toBe(1);
    expect(Math.abs(rateOf(old) - 0.05)).toBeLessThan(4 * Math.sqrt((0.05 * 0.95) / old.n));
  });

  it('are corrected for: both arms are read right, within their sampling error', () => {
    const { old, new: young, beta } = read('delay-corrected');
    expect(young.sumR).toBeLessThan(30_000 * 0.02);
    // Σr is Poisson, nearly; and one per cent for cohorts that last a day.
    for (const [arm, rate] of [
      [young, 0.12],
      [old, 0.05],
    ] as const) {
      expect(Math.abs(rateOf(arm) / rate - 1)).toBeLessThan(3 / Math.sqrt(arm.sumR) + 0.01);
    }
    expect(beta[1]).toBeCloseTo(1 + young.n - young.sumR, 9);
    expect(young.pulls).toBe(30_000);
  });

  it('count for no more than themselves where little exposure brought much, by chance', () => {
    const [old] = WORLD.arms;
    const lucky = { id: 'new', days: 0.3, decisions: 20, rate: 1 };
    const definition = lateExperiment({ ...WORLD, arms: [old!, lucky] }, 'delay-corrected');
    const slow = lateEvents({ ...WORLD, arms: [old!] }, 3);
    const fast = lateEvents({ ...WORLD, arms: [lucky], delayDaysMean: 0.1 }, 2);
    const all = [...slow, ...fast].sort((a, b) => a.clockMs - b.clockMs);
    const { arms, policies } = buildParameters(definition, learnedSums(all, definition));
    expect(arms[1]!.sumR).toBeGreaterThan(10);
    expect(arms[1]!.n).toBe(arms[1]!.sumR);
    expect(policies[0]!.state.get('beta')![1]).toBe(1);
  });

  it.each([
    [1 / 2, 0.015],
    [1, 0.035],
  ])('are corrected for by cohorts of %d days to %d, at any time of them', (days, error) => {
    for (const phase of [0.1, 0.3, 0.5, 0.7, 0.9]) {
      const endMs = (Math.ceil(90 / days) + phase) * days * DAY_MS;
      const cohorts = evenCohorts(days * DAY_MS, endMs);
      const shares = shownShares(lateExperiment({ ...WORLD, cohortMs: days * DAY_MS }, 'delay-corrected'), cohorts);
      const shown = cohorts.reduce((sum, [cohort], at) => {
        const fromMs = Math.max(cohort * days * DAY_MS, endMs - 3 * DAY_MS);
        return sum + Math.max(0, Math.min((cohort + 1) * days * DAY_MS, endMs) - fromMs) * shares[at]!;
      }, 0);
      const expected = (3 * DAY_MS * (1 - (1 - Math.exp(-0.3)) / 0.3)) / come(60 * DAY_MS);
      expect(Math.abs(shown / expected - 1)).toBeLessThan(error);
    }
  });
});

function come(ageMs: number): number {
  return -Math.expm1(-Math.max(0, ageMs) / (WORLD.delayDaysMean * DAY_MS));
}

/** What is expected of decisions that are dealt evenly, from day 0 on: no chance, so what is left is the error of cohorts. */
function evenCohorts(cohortMs: number, endMs: number) {
  const [partsATick, aDay, windowMs] = [16, 1e9, WORLD.windowDays * DAY_MS];
  const partMs = cohortMs / DELAY_TICKS / partsATick;
  const cohorts: [cohort: number, sums: ReadonlyMap<ArmId, ExactVector>][] = [];
  for (let cohort = 0; cohort * cohortMs < endMs; cohort++) {
    const cells = new Float64Array(DELAYS_SIZE);
    for (let part = 0; part < DELAY_TICKS * partsATick; part++) {
      const ageMs = endMs - cohort * cohortMs - (part + 0.5) * partMs;
      if (ageMs <= 0) continue;
      const count = (aDay * partMs) / DAY_MS;
      cells[Math.floor(part / partsATick)]! += count;
      for (let bucket = 0, from = 0; bucket < DELAY_BUCKETS && from < ageMs; bucket++) {
        const to = bucketEndMs(bucket, windowMs);
        cells[FIRST_REWARDS + bucket]! += 0.1 * count * (come(Math.min(to, ageMs)) - come(from));
        from = to;
      }
    }
    const vector = new ExactVector(DELAYS_SIZE);
    vector.beginRound().set(cells.map(Math.round));
    cohorts.push([cohort, new Map([[DELAYS, vector]])]);
  }
  return cohorts;
}

describe('the distribution of delays', () => {
  const WINDOW_MS = 65_536;
  function cells(count: number, firsts: Readonly<Record<number, number>>): Float64Array {
    const vector = new Float64Array(DELAYS_SIZE);
    vector[0] = count;
    for (const [bucket, events] of Object.entries(firsts)) vector[FIRST_REWARDS + Number(bucket)] = events;
    return vector;
  }

  it('is all while nothing is known', () => {
    expect(delayDistribution([], WINDOW_MS)(0)).toBe(1);
    expect(delayDistribution([{ cells: cells(90, { 3: 10 }), followedMs: -1 }], WINDOW_MS)(0)).toBe(1);
    expect(delayDistribution([{ cells: cells(90, { 3: 9 }), followedMs: WINDOW_MS }], WINDOW_MS)(0)).toBe(1);
    expect(delayDistribution([{ cells: cells(9, {}), followedMs: WINDOW_MS }], WINDOW_MS)(0)).toBe(1);
  });

  it('rises evenly within a bucket, from nothing at once to all at the window', () => {
    const share = delayDistribution([{ cells: cells(100, { 60: 30, 64: 10 }), followedMs: WINDOW_MS }], WINDOW_MS);
    const [from, to] = [bucketEndMs(59, WINDOW_MS), bucketEndMs(60, WINDOW_MS)];
    expect([0, from, (from + to) / 2, to, bucketEndMs(63, WINDOW_MS)].map(share)).toEqual([
      0,
      0,
      expect.closeTo(0.375, 9),
      expect.closeTo(0.75, 9),
      expect.closeTo(0.75, 9),
    ]);
    expect([WINDOW_MS, 2 * WINDOW_MS].map(share)).toEqual([1, 1]);
  });

  it('is not asked of a cohort whose youngest slots have not lived through a delay', () => {
    const definition = experiment({ cohortMs: 16, attribution: { model: 'last-touch', windowMs: 4 * WINDOW_MS } });
    const dealt = (tick: number, firsts: number) => {
      const vector = new ExactVector(DELAYS_SIZE);
      const counts = vector.beginRound();
      counts[tick] = 100;
      // 4 to 5 ms after.
      counts[FIRST_REWARDS + 1] = firsts;
      return new Map([[DELAYS, vector]]);
    };
    const before = dealt(DELAY_TICKS - 1, 10);
    // At the middle of its tick: what was dealt a tick before is 1 ms old.
    expect(
      shownShares(definition, [
        [0, before],
        [1, dealt(0, 0)],
      ]),
    ).toEqual([1, 1]);
    expect(
      shownShares(definition, [
        [0, before],
        [1, dealt(4, 0)],
      ]),
    ).toEqual([1, 1]);
    expect(
      shownShares(definition, [
        [0, before],
        [1, dealt(5, 0)],
      ]),
    ).toEqual([1, 0]);
  });

  it('is that of the oldest cohort beyond which nobody has been followed', () => {
    const share = delayDistribution([{ cells: cells(100, { 40: 10, 50: 10 }), followedMs: WINDOW_MS / 4 }], WINDOW_MS);
    expect(share(bucketEndMs(45, WINDOW_MS))).toBeCloseTo(0.5, 9);
    expect(share(WINDOW_MS / 4)).toBe(1);
  });
});

describe('a cohort is mature', () => {
  const OF = { cohortMs: 10, attribution: { model: 'last-touch', windowMs: 25 } } as const;

  it('when it ended a window before the newest one began', () => {
    expect([0, 2, 3, 4, 20].map((newest) => matureBefore(OF, newest))).toEqual([0, 0, 0, 1, 17]);
    expect(matureBefore({ ...OF, attribution: { ...OF.attribution, windowMs: 30 } }, 20)).toBe(17);
    expect(matureBefore({ ...OF, attribution: { ...OF.attribution, windowMs: 31 } }, 20)).toBe(16);
  });

  it('before it is rolled up, in experiments that ask for ages, and by their own clock', () => {
    const times = { lowClockMs: 1_000, newestCohort: 20 };
    const limits = DELAY_MODES.map((delay) =>
      rolledUpBefore(experiment({ ...OF, reward: rewardSpec({ delay }) }), times, 100),
    );
    expect(limits).toEqual([90, 90, 17, 17]);
    expect(rolledUpBefore(experiment(OF), { ...times, newestCohort: null }, 100)).toBe(0);
  });
});

describe('the sums of a cohort', () => {
  const [OLD, NEWEST] = [0, 100];
  const A = 'A' as ArmId;

  /** Old enough to be all there, and young enough to have shown half of what will come. */
  function merged(size: number): MergedSums {
    const sums = new MergedSums();
    const filled = (length: number, fill: (cells: Float64Array) => void) => {
      const vector = new ExactVector(length);
      fill(vector.beginRound());
      return vector;
    };
    const of = (fill: (cells: Float64Array) => void) =>
      new Map([
        [A, filled(size, (cells) => cells.fill(2 ** 40))],
        [DELAYS, filled(DELAYS_SIZE, fill)],
      ]);
    sums.replace(
      0,
      OLD,
      of((cells) => {
        cells[0] = 1_000;
        cells[FIRST_REWARDS + 1] = 50;
        cells[FIRST_REWARDS + DELAY_BUCKETS - 1] = 50;
      }),
    );
    sums.replace(
      0,
      NEWEST - 10,
      of((cells) => (cells[0] = 1)),
    );
    sums.replace(
      0,
      NEWEST,
      of((cells) => (cells[0] = 0)),
    );
    // A clock, and nothing else.
    sums.replace(0, NEWEST, new Map([[DELAYS, filled(DELAYS_SIZE, (cells) => (cells[0] = 1))]]));
    return sums;
  }

  function weights(definition: Experiment, size: number): number[] {
    const [corrected] = weighedSums(definition, merged(size), [A], null);
    const [whole] = weighedSums(
      { ...definition, reward: { ...definition.reward, delay: 'impute' } },
      merged(size),
      [A],
      null,
    );
    return Array.from(corrected!, (cell, i) => cell / whole![i]!);
  }

  const defined = (overrides: Partial<Experiment>, delay: DelayMode = 'delay-corrected') =>
    experiment({
      cohortMs: 10,
      attribution: { model: 'last-touch', windowMs: 600 },
      reward: rewardSpec({ delay }),
      ...overrides,
    });

  it('count for what has come where they count slots, Σ x·xᵀ included, and as they are where they add up rewards', () => {
    const layout = sumsLayout(2);
    const scaled = weights(defined({ context: [{ kind: 'boolean', name: 'x' }] }), layout.size);
    const gram = [...scaled.keys()].filter((cell) => cell >= gramStart(layout));
    // Half of what came of the old ones comes soon; of the young ones' 100 ms, nothing else.
    const expected = scaled.map((_, cell) => (cell === N || gram.includes(cell) ? 0.75 : 1));
    expect(scaled).toEqual(expected.map((weight) => expect.closeTo(weight, 9)));
    expect([scaled[PULLS], scaled[SUM_R]]).toEqual([1, 1]);
  });

  it('count so by pattern of the context too', () => {
    const layout = patternLayout(2);
    const scaled = weights(
      defined({
        context: [{ kind: 'boolean', name: 'x' }],
        layout: { aspects: [{ name: 'button', variants: ['A', 'B'] }], crosses: [] },
      }),
      layout.size,
    );
    expect(scaled.slice(VECTOR_START)).toEqual([0.75, 0.75, 1, 1].map((weight) => expect.closeTo(weight, 9)));
  });

  it('count all or nothing where only mature ones count', () => {
    const scaled = weights(defined({}, 'mature'), sumsLayout(0).size);
    expect(scaled).toEqual([1, 0.5, 0.5, 0.5, 0.5]);
  });

  it('are added up before they are rounded, once they are mature, so that roll-ups leave no trace', () => {
    const sums = new MergedSums();
    for (const [cohort, hi] of [8_192, 0].entries()) {
      const vector = new ExactVector(sumsLayout(0).size);
      vector.hi[SUM_RR] = hi;
      vector.lo[SUM_RR] = 1;
      sums.replace(0, cohort, new Map([[A, vector]]));
    }
    sums.replace(0, NEWEST, new Map());
    const [cells] = weighedSums(defined({}, 'mature'), sums, [A], null);
    expect(cells![SUM_RR]! * 2 ** 40).toBe(2 ** 53 + 2);
  });

  it('count less with age as well, where the experiment forgets', () => {
    const definition = defined({ forgetting: { kind: 'window', spanMs: 500, sinceVersion: 1 } });
    const [cells] = weighedSums(definition, merged(sumsLayout(0).size), [A], definition.forgetting);
    const one = 2 ** 40 / 2 ** 20;
    expect([cells![PULLS], cells![SUM_R]]).toEqual([2 ** 40, one]);
    expect(cells![N]).toBeCloseTo(2 ** 39, -3);
  });

  it('are wrong when their delays are missing', () => {
    const sums = new MergedSums();
    sums.replace(0, 1, new Map([[A, new ExactVector(sumsLayout(0).size)]]));
    expect(() => weighedSums(defined({}), sums, [A], null)).toThrow(Corrupt);
  });
});
