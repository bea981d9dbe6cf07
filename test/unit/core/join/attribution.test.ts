import { describe, expect, it } from 'vitest';
import type { ArmId, ExperimentId } from '../../../../services/core/events.ts';
import {
  type Arm,
  ATTRIBUTION_MODELS,
  type AttributionModel,
  type Experiment,
  type Fold,
} from '../../../../services/core/experiment.ts';
import { OWNERS_MAX } from '../../../../services/core/join/attribution.ts';
import type { Rules } from '../../../../services/core/learning/partition.ts';
import { SUM_R, VECTOR_START } from '../../../../services/core/sums/layout.ts';
import { experiment, LIMITS, rules, T0 } from '../../../support/core.ts';
import { dealt, learned, won } from '../../../support/learned.ts';
import { rewardSpec, type WrittenReward } from '../../../support/reward-spec.ts';

function rewarding(reward: WrittenReward, overrides: Partial<Experiment> = {}): Rules {
  return rules(experiment({ ...overrides, reward: rewardSpec(reward) }));
}

const LESS_COST = 'metric.click - arm.cost';
const { windowMs, graceMs, earlyGraceMs } = LIMITS;
const REACH_MS = windowMs + graceMs;

describe('a reward that names no decision', () => {
  it("belongs to the unit's last decision before it (last touch)", () => {
    const { counts, ...after } = learned([
      dealt({ id: 'd1', arm: 'A' }),
      dealt({ id: 'd2', arm: 'B', atMs: T0 + 5, clockMs: T0 + 5 }),
      won({ atMs: T0 + 10 }),
    ]).both();
    expect(after).toEqual({ A: 0, B: 0.25 });
    expect(counts).toMatchObject({ decisionsJoined: 1, decisionsPending: 1, rewardsJoined: 1 });
  });

  it('belongs to an earlier decision when the last one was decided after it', () => {
    const after = learned([
      dealt({ id: 'd1', arm: 'A' }),
      dealt({ id: 'd2', arm: 'B', atMs: T0 + 11, clockMs: T0 + 11 }),
      won({ atMs: T0 + 10, clockMs: T0 + 12 }),
    ]);
    expect(after.both()).toMatchObject({ A: 0.25, B: 0 });
  });

  it('moves to a later decision that arrives after it', () => {
    const first = dealt({ id: 'd1', arm: 'A' });
    const second = dealt({ id: 'd2', arm: 'B', atMs: T0 + 5, clockMs: T0 + 20 });
    expect(learned([first, won()]).both()).toMatchObject({ A: 0.25, B: 0 });
    expect(learned([first, won(), second]).both()).toMatchObject({ A: 0, B: 0.25 });
  });

  it('reaches every experiment that learns from its metric, and only those', () => {
    const given = rules(
      experiment(),
      experiment({ id: 'layout' as ExperimentId }),
      experiment({ id: 'other' as ExperimentId, reward: rewardSpec({ metrics: { order: {} } }) }),
    );
    const events = [
      dealt({ id: 'd1' }),
      dealt({ id: 'd2', experimentId: 'layout' as ExperimentId }),
      dealt({ id: 'd3', experimentId: 'other' as ExperimentId }),
    ];
    const after = learned([...events, won()], given);
    expect(after.counts).toMatchObject({ decisionsJoined: 2, decisionsPending: 1, rewardsIn: 1, rewardsJoined: 1 });
    const named = learned([...events, won({ experimentId: 'layout' as ExperimentId })], given);
    expect(named.counts).toMatchObject({ decisionsJoined: 1, decisionsPending: 2, rewardsJoined: 1 });
  });

  it("never reaches another unit's decision", () => {
    expect(learned([dealt({ unit: 'u' }), won({ unit: 'v' })]).counts).toMatchObject({
      rewardsJoined: 0,
      rewardsPending: 1,
    });
  });
});

describe('the attribution model', () => {
  const attributing = (model: AttributionModel) => rules(experiment({ attribution: { model, windowMs } }));
  /** Dealt one after another, A first; `late` is appended after the reward and was decided before it. */
  const [first, second, late] = [
    dealt({ id: 'd1', arm: 'A' }),
    dealt({ id: 'd2', arm: 'B', atMs: T0 + 5, clockMs: T0 + 5 }),
    dealt({ id: 'd3', arm: 'B', atMs: T0 + 2, clockMs: T0 + 20 }),
  ];

  it.each<[AttributionModel, { A: number; B: number }]>([
    ['last-touch', { A: 0, B: 0.5 }],
    ['first-touch', { A: 0.5, B: 0 }],
    ['every-decision', { A: 0.5, B: 1 }],
  ])('%s gives a reward to the decisions that it says, whatever the order of arrival', (model, sums) => {
    const reward = won({ value: 2 });
    for (const order of [
      [first, second, late, reward],
      [reward, first, second, late],
      [first, reward, second, late],
    ]) {
      const after = learned(order, attributing(model));
      expect(after.both()).toMatchObject(sums);
      expect(after.counts).toMatchObject({ rewardsIn: 1, rewardsJoined: 1, decisionsIn: 3 });
    }
  });

  it.each<AttributionModel>([...ATTRIBUTION_MODELS])(
    '%s: a reward that names its decision belongs to that alone',
    (model) => {
      const after = learned([first, second, won({ decision: 'd2', value: 4 })], attributing(model));
      expect(after.both()).toMatchObject({ A: 0, B: 1 });
    },
  );

  it('every-decision passes a retraction on to each of them', () => {
    const events = [first, second, won(), late, won({ revision: 1, value: null })];
    expect(learned(events, attributing('every-decision')).both()).toMatchObject({ A: 0, B: 0 });
  });

  it(`every-decision stops at the last ${OWNERS_MAX}, whatever the order of arrival, and counts the others`, () => {
    const many = Array.from({ length: OWNERS_MAX + 1 }, (_, at) => dealt({ id: `m${at}`, arm: at === 0 ? 'A' : 'B' }));
    for (const order of [
      [...many, won({ value: 4 })],
      [won({ value: 4 }), ...many],
    ]) {
      const after = learned(order, attributing('every-decision'));
      expect(after.both()).toMatchObject({ A: 0, B: OWNERS_MAX });
      expect(after.counts.passedOver).toBe(1);
      expect(learned(order, attributing('last-touch')).counts.passedOver).toBe(0);
    }
  });
});

describe('a reward that names its decision', () => {
  it('belongs to that decision, not to the last', () => {
    const after = learned([
      dealt({ id: 'd1', arm: 'A' }),
      dealt({ id: 'd2', arm: 'B', atMs: T0 + 5, clockMs: T0 + 5 }),
      won({ decision: 'd1' }),
    ]);
    expect(after.both()).toMatchObject({ A: 0.25, B: 0 });
  });

  it('waits when that decision is not there, whatever others are', () => {
    expect(learned([dealt({ id: 'd2' }), won({ decision: 'd1' })]).counts).toMatchObject({
      rewardsJoined: 0,
      rewardsPending: 1,
    });
  });
});

describe('a decision of several arms', () => {
  const page = dealt({ arms: ['A', 'B'] });

  it('counts for each of them: pulls, n, Σr, Σr², and Σr/p with the propensity of its own slot', () => {
    const after = learned([page, won({ value: 2 })]);
    expect(after.arm('A')).toEqual({ pulls: 1, n: 1, sumR: 0.5, sumRR: 0.25, sumROverP: 1 });
    expect(after.arm('B')).toEqual({ pulls: 1, n: 1, sumR: 0.5, sumRR: 0.25, sumROverP: 1.5 });
    expect(after.counts).toMatchObject({ decisionsIn: 1, decisionsJoined: 1, rewardsJoined: 1 });
  });

  it('gives the context to each of them: Σrx and Σxxᵀ', () => {
    const given = rules(experiment({ context: [{ kind: 'boolean', name: 'returning' }] }));
    const { oracle } = learned([dealt({ arms: ['A', 'B'], features: [1, 0.5] }), won({ value: 4, arm: 'B' })], given);
    const sums = oracle.state.sums.entries().next().value!.sums;
    const [rewardUnits, one] = [2 ** 20, 2 ** 16];
    const gram = [one ** 2, one ** 2 / 2, one ** 2 / 4];
    expect([...sums.get('A' as ArmId)!.toNumbers()].slice(VECTOR_START)).toEqual([0, 0, ...gram]);
    expect([...sums.get('B' as ArmId)!.toNumbers()].slice(VECTOR_START)).toEqual([
      rewardUnits * one,
      (rewardUnits * one) / 2,
      ...gram,
    ]);
  });

  it('gives a reward that names an arm to that slot alone', () => {
    expect(learned([page, won({ arm: 'B', value: 4 })]).both()).toMatchObject({ A: 0, B: 1 });
    const both = [won({ arm: 'B', value: 2 }), won({ id: 'r2', value: 1 })];
    expect(learned([page, ...both]).both()).toMatchObject({ A: 0.25, B: 0.75 });
  });

  it('imputes, or leaves out, slot by slot', () => {
    const toB = [page, won({ arm: 'B', value: 4 })];
    const imputing = learned(toB, rewarding({ metrics: { click: { default: 1 } } }));
    expect(imputing.both()).toMatchObject({ A: 0.25, B: 1 });
    const labelled = learned(toB, rewarding({ delay: 'labelled' }));
    expect(labelled.arm('A')).toMatchObject({ pulls: 1, n: 0 });
    expect(labelled.arm('B')).toMatchObject({ pulls: 1, n: 1 });
  });

  it('takes the cost of each arm off, and counts clipped slots', () => {
    const arms = experiment().arms.map((arm, at) => ({ ...arm, attributes: new Map([['cost', at * 2]]) }));
    const after = learned([page, won({ value: 5 })], rewarding({ value: LESS_COST }, { arms }));
    expect(after.both()).toMatchObject({ A: 1, B: 0.75 });
    expect(after.counts.clipped).toBe(1);
  });
});

describe('a reward that names an arm', () => {
  it('belongs to the last decision that dealt that arm', () => {
    const events = [
      dealt({ id: 'd1', arms: ['A', 'B'] }),
      dealt({ id: 'd2', arm: 'A', atMs: T0 + 5, clockMs: T0 + 5 }),
      won({ arm: 'B', value: 4 }),
    ];
    expect(learned(events).both()).toMatchObject({ A: 0, B: 1 });
  });

  it('waits while no decision dealt it, also when it names one that did not', () => {
    const pending = { rewardsJoined: 0, rewardsPending: 1 };
    expect(learned([dealt({ arm: 'A' }), won({ arm: 'B' })]).counts).toMatchObject(pending);
    expect(learned([dealt({ arm: 'A' }), won({ arm: 'B', decision: 'd1' })]).counts).toMatchObject(pending);
  });
});

describe('the attribution window', () => {
  it.each([
    [-1, 'does not count'],
    [0, 'counts'],
    [windowMs, 'counts'],
    [windowMs + 1, 'does not count'],
  ])('a reward that occurred %i ms after its decision %s', (delayMs, verdict) => {
    const { rewardsJoined } = learned([dealt(), won({ atMs: T0 + delayMs })]).counts;
    expect(rewardsJoined).toBe(verdict === 'counts' ? 1 : 0);
  });

  it("is the experiment's own, and may be shorter than the learner's limit", () => {
    const given = rules(experiment({ attribution: { model: 'last-touch', windowMs: 10 } }));
    expect(learned([dealt(), won({ atMs: T0 + 10 })], given).counts.rewardsJoined).toBe(1);
    expect(learned([dealt(), won({ atMs: T0 + 11 })], given).counts.rewardsJoined).toBe(0);
  });

  it.each([
    [REACH_MS, 'reaches it'],
    [REACH_MS + 1, 'comes too late'],
    [-earlyGraceMs, 'reaches it'],
    [-earlyGraceMs - 1, 'came too early'],
  ])('a reward appended %i ms after its decision %s, whatever its own time says', (laterMs, verdict) => {
    const events = [dealt({ clockMs: T0 + 1_000 }), won({ clockMs: T0 + 1_000 + laterMs })];
    for (const order of [events, events.toReversed()]) {
      expect(learned(order).counts.rewardsJoined).toBe(verdict === 'reaches it' ? 1 : 0);
    }
  });

  it('goes by the log clock: an append time that steps back takes nothing away', () => {
    const after = learned([
      dealt(),
      won({ id: 'r0', unit: 'v', clockMs: T0 + REACH_MS + 1 }),
      won({ clockMs: T0 + 10 }),
    ]);
    expect(after.counts.rewardsJoined).toBe(0);
  });
});

describe('the worth of a decision', () => {
  const three = [
    won({ id: 'r1', value: 3, atMs: T0 + 20 }),
    won({ id: 'r2', value: 1, atMs: T0 + 10 }),
    won({ id: 'r3', value: 2, atMs: T0 + 30 }),
  ];

  it.each<[Fold, number]>([
    ['sum', 6],
    ['mean', 2],
    ['max', 3],
    ['min', 1],
    ['first', 1],
    ['last', 2],
  ])('folds several rewards by %s, in the order of their occurrence', (fold, folded) => {
    const given = rewarding({ metrics: { click: { fold } }, max: 8 });
    for (const order of [three, three.toReversed()]) {
      expect(learned([dealt(), ...order], given).arm('A').sumR).toBe(folded / 8);
    }
  });

  it("is less the arm's cost, also when nothing was earned", () => {
    const arms: Arm[] = [
      { id: 'A' as ArmId, state: 'active', sinceVersion: 1, attributes: new Map([['cost', 1]]) },
      { id: 'B' as ArmId, state: 'active', sinceVersion: 1, attributes: new Map([['cost', 0]]) },
    ];
    const given = rewarding({ value: LESS_COST, min: -4, max: 4 }, { arms });
    expect(learned([dealt(), won({ value: 3 })], given).arm('A').sumR).toBe((3 - 1 + 4) / 8);
    expect(learned([dealt()], given).arm('A').sumR).toBe((0 - 1 + 4) / 8);
    expect(learned([dealt({ arm: 'B' })], given).arm('B').sumR).toBe(4 / 8);
  });

  it.each([
    [-1, 0, 1],
    [0, 0, 0],
    [4, 1, 0],
    [5, 1, 1],
  ])('of %d, in a range from 0 to 4, is learned as %d and counted clipped %d times', (value, scaled, clipped) => {
    const after = learned([dealt(), won({ value })]);
    expect(after.arm('A').sumR).toBe(scaled);
    expect(after.counts.clipped).toBe(clipped);
  });

  it('is no longer counted clipped once a revision brings it back into range', () => {
    const after = learned([dealt(), won({ value: 5 }), won({ value: 3, revision: 1 })]);
    expect(after.counts.clipped).toBe(0);
    expect(after.arm('A').sumR).toBe(0.75);
  });

  it('enters every sum: pulls, n, Σr, Σr², Σr/p', () => {
    const after = learned([dealt(), won({ value: 2 }), dealt({ id: 'd2', unit: 'v' })]);
    expect(after.arm('A')).toEqual({ pulls: 2, n: 2, sumR: 0.5, sumRR: 0.25, sumROverP: 1 });
  });

  it('is imputed while there is no reward, replaced when one comes, and imputed again when it is retracted', () => {
    const given = rewarding({ metrics: { click: { default: 1 } } });
    const retraction = won({ value: null, revision: 1 });
    expect(learned([dealt()], given).arm('A')).toMatchObject({ n: 1, sumR: 0.25 });
    expect(learned([dealt(), won({ value: 4 })], given).arm('A')).toMatchObject({ n: 1, sumR: 1 });
    expect(learned([dealt(), won({ value: 4 }), retraction], given).arm('A')).toMatchObject({ n: 1, sumR: 0.25 });
  });

  it('is left out while there is no reward when only labelled decisions count', () => {
    const given = rewarding({ delay: 'labelled' });
    const retraction = won({ value: null, revision: 1 });
    expect(learned([dealt()], given).arm('A')).toMatchObject({ pulls: 1, n: 0, sumR: 0 });
    expect(learned([dealt(), won({ value: 4 })], given).arm('A')).toMatchObject({ pulls: 1, n: 1, sumR: 1 });
    expect(learned([dealt(), won({ value: 4 }), retraction], given).arm('A')).toMatchObject({
      pulls: 1,
      n: 0,
      sumR: 0,
    });
  });
});

describe('a value of several metrics', () => {
  const metrics = { click: {}, minutes: { fold: 'max', default: 2 } } as const;
  const minutes = (value: number) => won({ id: 'r2', metric: 'minutes', value });

  it('folds each by its own way, and takes the default of what has not come', () => {
    const given = rewarding({ metrics, value: 'metric.click + metric.minutes', max: 16 });
    const sumR = (...events: ReturnType<typeof won>[]) => learned([dealt(), ...events], given).arm('A').sumR * 16;
    expect(sumR()).toBe(2);
    expect(sumR(won({ value: 3 }))).toBe(5);
    expect(sumR(won({ value: 3 }), minutes(7), won({ id: 'r3', metric: 'minutes', value: 5 }))).toBe(10);
    expect(sumR(won({ id: 'r4', metric: 'order', value: 9 }))).toBe(2);
  });

  it('counts once any of them has come, when only labelled decisions count', () => {
    const given = rewarding({ metrics, value: 'metric.click + metric.minutes', delay: 'labelled' });
    expect(learned([dealt()], given).arm('A')).toMatchObject({ pulls: 1, n: 0 });
    expect(learned([dealt(), won()], given).arm('A')).toMatchObject({ n: 1, sumR: 0.75 });
    expect(learned([dealt(), minutes(3)], given).arm('A')).toMatchObject({ n: 1, sumR: 0.75 });
  });

  it.each([
    ['metric.click / (metric.minutes - 2)', 1, 1],
    ['-metric.click / (metric.minutes - 2)', 0, 1],
    ['(metric.click - 1) / (metric.minutes - 2)', 0, 1],
    ['metric.click + metric.minutes', 0.75, 0],
  ])('%s, no number or one, is learned as %d and counted clipped %d times', (value, sumR, clipped) => {
    const after = learned([dealt(), won()], rewarding({ metrics, value }));
    expect(after.arm('A').sumR).toBe(sumR);
    expect(after.counts.clipped).toBe(clipped);
  });

  it('reads what was logged of the context: booleans as 0 or 1, numbers in the units of requests', () => {
    const context: Experiment['context'] = [
      { kind: 'boolean', name: 'vip' },
      { kind: 'category', name: 'region', values: ['CN', 'US'] },
      { kind: 'number', name: 'age', mean: 40, scale: 8 },
    ];
    const given = rewarding({ value: 'context.vip ? context.age : metric.click', max: 64 }, { context });
    const worth = (features: number[]) => {
      const { oracle } = learned([dealt({ features }), won()], given);
      const { sums } = oracle.state.sums.entries().next().value!;
      return (sums.get('A' as ArmId)!.toNumbers()[SUM_R]! / 2 ** 20) * 64;
    };
    expect(worth([1, 1, 0, 1, -1.5])).toBe(28);
    expect(worth([1, 0, 0, 1, -1.5])).toBe(1);
  });
});
