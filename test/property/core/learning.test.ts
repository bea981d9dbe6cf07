import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeContext } from '../../../services/core/deciding/encode-context.ts';
import {
  type ArmId,
  type DecisionId,
  type ExperimentId,
  type InputEvent,
  STREAMS,
} from '../../../services/core/events.ts';
import {
  type Arm,
  ATTRIBUTION_MODELS,
  DELAY_MODES,
  type Feature,
  FOLDS,
  type Fold,
  type RewardSpec,
} from '../../../services/core/experiment.ts';
import { isEmpty, lowClock, rebuiltFromMs } from '../../../services/core/join/group.ts';
import { addCounts, zeroCounts } from '../../../services/core/learning/counts.ts';
import { expire, type Rules, ranOut, runOutBy } from '../../../services/core/learning/partition.ts';
import { cellsOf, decision, experiment, LIMITS, Oracle, reward, rules, settledCounts, T0 } from '../../support/core.ts';
import { allContexts, firstRecords, notCrowded, sumsByDefinition } from '../../support/definition.ts';
import { rewardSpec, type WrittenReward } from '../../support/reward-spec.ts';

const ARMS: readonly Arm[] = ['A', 'B', 'C'].map((id, cost) => ({
  id: id as ArmId,
  state: 'active',
  sinceVersion: 1,
  attributes: new Map([['cost', cost / 4]]),
}));
const CONTEXT: readonly Feature[] = [
  { kind: 'boolean', name: 'returning' },
  { kind: 'cross', name: 'both', of: ['country', 'returning'] },
  { kind: 'category', name: 'country', values: ['BR', 'DE'] },
];
const VISITOR: readonly Feature[] = [
  { kind: 'number', name: 'age', mean: 40, scale: 8 },
  { kind: 'boolean', name: 'returning' },
];
const VISITORS = [
  [1, 0, 0],
  [1, -1.25, 1],
  [1, 2, 1],
];
/** Of one metric and of two, some of which are no numbers while a metric has its default. */
const VALUES = [
  'metric.click - arm.cost',
  'metric.click * metric.visit - arm.cost',
  'metric.click / metric.visit',
  'context.returning ? metric.visit : metric.click - arm.cost',
];
const VISITOR_VALUES = [...VALUES, 'metric.click + (context.age - 40) / 8 - arm.cost'];
const ENCODED = allContexts(CONTEXT).map((values) => [...encodeContext(CONTEXT, values).features]);
/**
 * Two experiments, one of them with counts by pattern of the context, that learn from the same rewards, by attributions,
 * folds, formulas and ways with delays drawn at random; units are often crowded.
 */
const given = fc
  .record({
    models: fc.tuple(fc.constantFrom(...ATTRIBUTION_MODELS), fc.constantFrom(...ATTRIBUTION_MODELS)),
    folds: fc.tuple(fc.constantFrom(...FOLDS), fc.constantFrom(...FOLDS)),
    values: fc.tuple(fc.constantFrom(...VISITOR_VALUES), fc.constantFrom(...VALUES)),
    delays: fc.tuple(fc.constantFrom(...DELAY_MODES), fc.constantFrom(...DELAY_MODES)),
    unitEventsMax: fc.constantFrom(1, 2, 3, 200),
    unitSpanMs: fc.constantFrom(20, 50, 150, 300),
  })
  .map(({ models, folds, values, delays, ...crowding }) => ({
    ...rules(
      experiment({
        arms: ARMS,
        context: VISITOR,
        attribution: { model: models[0], windowMs: 100 },
        reward: valued(values[0], folds, { max: 4, delay: delays[0] }),
      }),
      experiment({
        id: 'layout' as ExperimentId,
        arms: ARMS,
        layout: { aspects: [{ name: 'button', variants: ['A', 'B', 'C'] }], crosses: [] },
        context: CONTEXT,
        attribution: { model: models[1], windowMs: 100 },
        reward: valued(values[1], folds, { max: 2, delay: delays[1] }),
      }),
    ),
    limits: { ...LIMITS, ...crowding },
  }));

/** Clicks fold by the one, visits by the other. */
function valued(value: string, folds: readonly [Fold, Fold], rest: WrittenReward): RewardSpec {
  const metrics = { click: { fold: folds[0], default: 1 }, visit: { fold: folds[1] } };
  const read = Object.entries(metrics).filter(([name]) => value.includes(`metric.${name}`));
  return rewardSpec({ metrics: Object.fromEntries(read), value, ...rest });
}

const unit = fc.constantFrom('u', 'v');
const stepMs: fc.Arbitrary<number> = fc.constantFrom(0, 1, 5, 19, 20, 21, 60, 120, 121, 140, 141);
/** How far an event's own time is from the log's: mostly close, sometimes years off. */
const skewMs = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -40, max: 0 }) },
  fc.constantFrom(-60, -80, -100, -101, 30, 10 ** 9),
);

/** What one decision deals, slot by slot. */
const arms = fc.constantFrom(['A'], ['B'], ['A', 'B'], ['B', 'A', 'C']);
/** Which arm a reward names, if any. */
const ofArm = fc.constantFrom(null, null, 'A', 'B');

/** The last one is nobody's. */
const metric = fc.constantFrom('click', 'click', 'click', 'visit', 'visit', 'order');

const decisions = fc.array(
  fc.record({
    id: fc.constantFrom('d1', 'd2', 'd3', 'd4'),
    experimentId: fc.constantFrom<string>('coupon', 'layout'),
    context: fc.nat(ENCODED.length - 1),
    arms,
    unit,
    stepMs,
    skewMs,
  }),
  { maxLength: 12 },
);
const rewards = fc.array(
  fc.record({
    id: fc.constantFrom('r1', 'r2', 'r3'),
    revision: fc.integer({ min: 0, max: 2 }),
    metric,
    value: fc.constantFrom<number | null>(null, 0.1, 1, 2.5, 99),
    of: fc.constantFrom(null, null, 'd1', 'd2'),
    experimentId: fc.constantFrom(null, null, 'coupon'),
    ofArm,
    unit,
    stepMs,
    skewMs,
  }),
  { maxLength: 12 },
);

function decisionEvents(specs: typeof decisions extends fc.Arbitrary<infer T> ? T : never): InputEvent[] {
  let clockMs = T0;
  return specs.map(({ context, ...spec }) => {
    clockMs += spec.stepMs;
    const atMs = clockMs + spec.skewMs;
    const features = spec.experimentId === 'layout' ? ENCODED[context]! : VISITORS[context % VISITORS.length]!;
    return {
      stream: 'decisions',
      clockMs,
      decision: decision({ ...spec, experimentId: spec.experimentId as ExperimentId, features, atMs }),
    };
  });
}

function rewardEvents(specs: typeof rewards extends fc.Arbitrary<infer T> ? T : never): InputEvent[] {
  let clockMs = T0;
  return specs.map((spec) => {
    clockMs += spec.stepMs;
    return {
      stream: 'rewards',
      clockMs,
      reward: reward({
        id: spec.id,
        revision: spec.revision,
        metric: spec.metric,
        value: spec.value,
        unit: spec.unit,
        atMs: clockMs + spec.skewMs,
        decisionId: spec.of as DecisionId | null,
        experimentId: spec.experimentId as ExperimentId | null,
        armId: spec.ofArm as ArmId | null,
      }),
    };
  });
}

/** Interleaves two streams by a list of turns; each keeps its order. */
function interleave(a: readonly InputEvent[], b: readonly InputEvent[], turns: readonly boolean[]): InputEvent[] {
  const merged: InputEvent[] = [];
  let i = 0;
  let j = 0;
  for (const first of turns) {
    if (first && i < a.length) merged.push(a[i++]!);
    else if (j < b.length) merged.push(b[j++]!);
  }
  return [...merged, ...a.slice(i), ...b.slice(j)];
}

const turns = fc.array(fc.boolean(), { minLength: 24, maxLength: 24 });

const drops = fc.array(fc.boolean(), { minLength: 24, maxLength: 24 });

/** Few events of hardly more than one unit, near the edges of what reaches what, where late appends change owners. */
const edgeClockMs = fc
  .tuple(fc.constantFrom(0, 20, 100, 120, 140), fc.integer({ min: -8, max: 8 }))
  .map(([edge, off]) => edge + off);
const edgeUnit = fc.constantFrom('u', 'u', 'u', 'v');
const lateMs = fc.integer({ min: -100, max: 0 });
const edgeDecisions = fc.array(
  fc.record({
    id: fc.constantFrom('d1', 'd2', 'd3', 'd4'),
    experimentId: fc.constant<string>('coupon'),
    context: fc.constant(0),
    arms,
    unit: edgeUnit,
    clockMs: edgeClockMs,
    skewMs: lateMs,
  }),
  { minLength: 2, maxLength: 5 },
);
const edgeRewards = fc.array(
  fc.record({
    id: fc.constantFrom('r1', 'r2'),
    revision: fc.integer({ min: 0, max: 1 }),
    metric,
    value: fc.constantFrom<number | null>(1, 2),
    of: fc.constant(null),
    experimentId: fc.constant(null),
    ofArm,
    unit: edgeUnit,
    clockMs: edgeClockMs,
    skewMs: lateMs,
  }),
  { minLength: 1, maxLength: 4 },
);

/** Puts specs in order of their clocks and says how far each is from the one before. */
function inSteps<T extends { readonly clockMs: number }>(specs: readonly T[]): (T & { stepMs: number })[] {
  const sorted = specs.toSorted((a, b) => a.clockMs - b.clockMs);
  return sorted.map((spec, index) => ({ ...spec, stepMs: spec.clockMs - (sorted[index - 1]?.clockMs ?? 0) }));
}

/** The decisions and rewards that there are, by id and the clock of their first record. */
function standing({ groups }: Oracle): string[] {
  const all = [...groups.values()].flatMap(({ decisions, rewards }) => [
    ...decisions.map(({ decisionId, clockMs }) => `${decisionId} ${clockMs}`),
    ...rewards.map(({ facts, records: [first] }) => `${facts.rewardId} ${first.clockMs}`),
  ]);
  return all.sort();
}

function nameOf(event: InputEvent): string {
  const id = event.stream === 'decisions' ? event.decision.decisionId : event.reward.rewardId;
  return `${id} ${event.clockMs}`;
}

/** Learns the two streams in one order, dropping now and then, and in another without ever dropping. */
function expectSameAsOracle(
  world: Rules,
  ds: readonly InputEvent[],
  rs: readonly InputEvent[],
  order: readonly boolean[],
  drop: readonly boolean[],
): void {
  const oracle = new Oracle(world);
  const events = [...ds, ...rs];
  for (const event of events) oracle.learn(event);
  const uncrowded = new Oracle({ ...world, limits: LIMITS });
  const taken = notCrowded(events, world);
  for (const event of taken) uncrowded.learn(event);
  expect(oracle.sums()).toEqual(cellsOf(sumsByDefinition(uncrowded.groups.values(), world)));
  expect(standing(uncrowded)).toEqual(firstRecords(taken, world).map(nameOf).sort());
  const { decisionsCrowded, rewardsCrowded } = oracle.state.counts;
  expect(decisionsCrowded + rewardsCrowded).toBe(events.length - taken.length);
  const live = new Oracle(world);
  interleave(ds, rs, order).forEach((event, index) => {
    live.learn(event);
    if (drop[index]) live.drop();
  });
  expect(live.sums()).toEqual(oracle.sums());
  expect(settledCounts(live.state.counts)).toEqual(settledCounts(oracle.state.counts));
  live.drop();
  oracle.drop();
  expect(live.state.counts).toEqual(oracle.state.counts);
  expect(settledCounts(live.state.counts).unaccounted).toBe(0);
}

/** One unit over a time in which much runs out. Times of their own say nothing here, so that only the log's clocks do. */
const longLog: fc.Arbitrary<InputEvent[]> = fc
  .array(
    fc.record({
      stream: fc.constantFrom(...STREAMS),
      stepMs: fc.constantFrom(1, 10, 19, 40, 60, 120),
      id: fc.integer({ min: 0, max: 5 }),
      revision: fc.integer({ min: 0, max: 1 }),
      arms,
    }),
    { minLength: 12, maxLength: 40 },
  )
  .map((specs) => {
    let clockMs = T0;
    return specs.map(({ stream, stepMs, id, revision, arms: dealt }, at): InputEvent => {
      clockMs += stepMs;
      return stream === 'decisions'
        ? { stream, clockMs, decision: decision({ id: `d${id}`, arms: dealt, features: VISITORS[0]! }) }
        : { stream, clockMs, reward: reward({ id: `r${id}`, revision, value: 1 + at / 64 }) };
    });
  });
const cut = fc.integer({ min: 8, max: 40 });

/** As after the loss of a disk: the sums are kept, the groups made anew of what the log has from some time on. */
function forgetAllButTheEnd(oracle: Oracle, learned: readonly InputEvent[], world: Rules): void {
  const { clocks } = oracle.state;
  const fromMs = lowClock(clocks) - rebuiltFromMs(world.limits);
  const end = new Oracle(world);
  for (const event of learned) if (event.clockMs >= fromMs) end.learn(event);
  end.state.clocks = clocks;
  end.drop();
  oracle.groups.clear();
  for (const [unitId, group] of end.groups) oracle.groups.set(unitId, group);
}

describe('learning is a function of the logs', { timeout: 60_000 }, () => {
  it('any interleaving of the two streams, dropping what has run out at any time, gives the oracle its sums and books', () => {
    fc.assert(
      fc.property(given, decisions, rewards, turns, drops, (world, d, r, order, drop) =>
        expectSameAsOracle(world, decisionEvents(d), rewardEvents(r), order, drop),
      ),
      { numRuns: 3_000 },
    );
  });

  it('units of which only decisions run out are known beforehand, and lose what they would lose when looked at', () => {
    let known = 0;
    fc.assert(
      fc.property(given, decisions, rewards, fc.integer({ min: 100, max: 400 }), (world, d, r, afterMs) => {
        const oracle = new Oracle(world);
        for (const event of [...decisionEvents(d), ...rewardEvents(r.slice(0, 1))]) oracle.learn(event);
        const clockMs = oracle.state.clocks.decisions + afterMs;
        for (const group of oracle.groups.values()) {
          const runningOut = runOutBy(group, clockMs, world);
          if (runningOut === 0) continue;
          known += 1;
          const { group: left, deltas, counts } = expire(group, clockMs, world);
          expect([isEmpty(left), deltas]).toEqual([true, []]);
          const [looked, unread] = [zeroCounts(), zeroCounts()];
          addCounts(looked, counts);
          addCounts(unread, ranOut(runningOut).counts);
          expect(unread).toEqual(looked);
        }
      }),
      { numRuns: 2_000 },
    );
    expect(known).toBeGreaterThan(200);
  });

  it('so it does where decisions are appended late and rewards at the end of their reach', () => {
    fc.assert(
      fc.property(given, edgeDecisions, edgeRewards, turns, (world, d, r, order) =>
        expectSameAsOracle(
          world,
          decisionEvents(inSteps(d)),
          rewardEvents(inSteps(r)),
          order,
          order.map(() => true),
        ),
      ),
      { numRuns: 10_000 },
    );
  });

  it('groups that are rebuilt from the end of the log alone go on to learn and to count the same', () => {
    fc.assert(
      fc.property(given, longLog, cut, (world, events, at) => {
        const whole = new Oracle(world);
        for (const event of events) whole.learn(event);
        const rebuilt = new Oracle(world);
        for (const event of events.slice(0, at)) rebuilt.learn(event);
        rebuilt.drop();
        forgetAllButTheEnd(rebuilt, events.slice(0, at), world);
        for (const event of events.slice(at)) rebuilt.learn(event);
        expect(rebuilt.sums()).toEqual(whole.sums());
        for (const oracle of [whole, rebuilt]) oracle.drop();
        expect(rebuilt.state.counts).toEqual(whole.state.counts);
      }),
      { numRuns: 6_000 },
    );
  });

  it('every record can be told apart: changing one joined value changes the sums', () => {
    const sumsWith = (value: number) => {
      const oracle = new Oracle(rules());
      oracle.learn({ stream: 'decisions', clockMs: T0, decision: decision() });
      oracle.learn({ stream: 'rewards', clockMs: T0 + 10, reward: reward({ value }) });
      return oracle.sums();
    };
    expect(sumsWith(1)).not.toEqual(sumsWith(1.00001));
  });
});
