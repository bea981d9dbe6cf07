import { expect, test } from 'vitest';
import { zeroCounts } from '../../../services/core/learning/counts.ts';
import { bandOf } from '../../../services/simulator/band.ts';
import { compare } from '../../../services/simulator/comparison.ts';
import { resultsJson } from '../../../services/simulator/json.ts';
import { reportHtml } from '../../../services/simulator/report.ts';
import type { Run } from '../../../services/simulator/run.ts';
import { runsOf, type Setting } from '../../../services/simulator/setting.ts';
import { checkpoints, summarize } from '../../../services/simulator/summary.ts';
import { comparisonText } from '../../../services/simulator/tables.ts';

/** Four units; the second arm is best for the first three, both are for the last. */
const RUN: Run = {
  armIds: ['A', 'B'],
  slots: 1,
  dealt: Int32Array.of(0, 1, 1, 0),
  best: Int32Array.of(1, 1, 1, 0),
  expected: Float64Array.of(10, 30, 30, 20),
  expectedBest: Float64Array.of(30, 30, 30, 20),
  expectedFirst: Float64Array.of(10, 10, 10, 20),
  observed: Float64Array.of(12, 28, 33, 19),
  segments: [['vip=true'], ['vip=false'], ['vip=true'], ['vip=false']],
  costOfUnit: 50,
  counts: zeroCounts(),
};

const SETTING: Setting = {
  environments: ['bernoulli'],
  policies: ['ucb1', 'random'],
  seeds: [1, 2],
  users: 4,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 1,
  pendingExposure: true,
};

test('with several slots, shares are of the slots', () => {
  const two = { slots: 2, dealt: Int32Array.of(0, 1, 1, 0, 1, 0, 0, 1), best: Int32Array.of(1, 0, 1, 0, 1, 0, 0, 1) };
  const { arms } = summarize({ ...RUN, ...two });
  expect(arms).toEqual({ units: 4, dealt: [0.5, 0.5], best: [0.5, 0.5] });
});

/** The same run, its rewards moved by a constant. */
function moved(by: number): Run {
  const shift = (values: Float64Array) => values.map((value) => value + by);
  return {
    ...RUN,
    expected: shift(RUN.expected),
    expectedBest: shift(RUN.expectedBest),
    observed: shift(RUN.observed),
  };
}

test('the figures of a run, by hand', () => {
  const summary = summarize(RUN);
  expect(summary).toMatchObject({ total: 90, mean: 22.5, meanObserved: 23, meanOracle: 27.5, regret: 20 });
  expect(summary.regretRate).toBeCloseTo(20 / 110, 12);
  expect(summary.bestArmShare).toBe(0.75);
  // 22.5 a unit, 12.5 with always the first arm, 50 paid for each.
  expect(summary.returnOnInvestment).toBeCloseTo(0.2, 12);
  expect(summary.arms).toEqual({ units: 4, dealt: [0.5, 0.5], best: [0.25, 0.75] });
  expect(summary.segments.get('vip=true')).toEqual({ units: 2, dealt: [0.5, 0.5], best: [0, 1] });
});

test('without a cost of units there is no return on investment', () => {
  expect(summarize({ ...RUN, costOfUnit: null }).returnOnInvestment).toBeNull();
});

test('curves accumulate, and moving figures are of the last 200 steps', () => {
  const users = 1_000;
  const flat = (value: number) => new Float64Array(users).fill(value);
  const run: Run = {
    ...RUN,
    dealt: new Int32Array(users),
    best: new Int32Array(users),
    // From the 500th step on the best arm is dealt.
    expected: flat(0).map((_, step) => (step < 500 ? 1 : 3)),
    observed: flat(0).map((_, step) => (step < 500 ? 1 : 3)),
    expectedBest: flat(3),
    expectedFirst: flat(1),
    segments: Array.from({ length: users }, () => []),
  };
  const points = checkpoints(users);
  const at = (steps: number) => points.indexOf(steps);
  const { cumulativeReward, cumulativeRegret, movingAverage, bestArmShare } = summarize(run).curves;
  expect([cumulativeReward[at(500)], cumulativeReward.at(-1)]).toEqual([500, 2_000]);
  expect([cumulativeRegret[at(1)], cumulativeRegret[at(500)], cumulativeRegret.at(-1)]).toEqual([2, 1_000, 1_000]);
  expect([movingAverage[at(500)], movingAverage[at(600)], movingAverage[at(700)]]).toEqual([1, 2, 3]);
  expect([bestArmShare[at(500)], bestArmShare[at(600)], bestArmShare[at(700)]]).toEqual([0, 0.5, 1]);
});

test('shares of arms over time are of the last 200 steps, all slots counted, unless there are too many arms', () => {
  const users = 1_000;
  const flat = new Float64Array(users);
  const run: Run = {
    ...RUN,
    slots: 2,
    armIds: ['A', 'B', 'C'],
    // The second slot is always C's; from the 500th step on B has the first one.
    dealt: Int32Array.from({ length: 2 * users }, (_, cell) => (cell % 2 === 1 ? 2 : Number(cell >= 1_000))),
    best: Int32Array.from({ length: 2 * users }, (_, cell) => (cell % 2 === 1 ? 2 : 1)),
    expected: flat,
    observed: flat,
    expectedBest: flat,
    expectedFirst: flat,
    segments: Array.from({ length: users }, () => []),
  };
  const { dealt, best } = summarize(run).armCurves!;
  const at = (steps: number) => dealt.map((shares) => shares[checkpoints(users).indexOf(steps)]);
  expect(at(1)).toEqual([0.5, 0, 0.5]);
  expect(at(500)).toEqual([0.5, 0, 0.5]);
  expect(at(600)).toEqual([0.25, 0.25, 0.5]);
  expect(at(700)).toEqual([0, 0.5, 0.5]);
  expect(best.map((shares) => shares.at(-1))).toEqual([0, 0.5, 0.5]);
  const many = Array.from({ length: 11 }, (_, arm) => `arm-${arm}`);
  expect(summarize({ ...run, armIds: many }).armCurves).toBeNull();
});

test.each([1, 2, 150, 5_000, 1_000_000])('%i steps have checkpoints from the first to the last, ascending', (users) => {
  const points = checkpoints(users);
  expect([points[0], points.at(-1)]).toEqual([1, users]);
  expect(points.every((point, at) => at === 0 || point > points[at - 1]!)).toBe(true);
  expect(points.length).toBeLessThan(300);
});

test('bands are intervals of Student’s t', () => {
  // t.975 with 4 degrees of freedom is 2.7764451; the standard error here is √(2.5/5).
  const { mean, low, high } = bandOf([1, 2, 3, 4, 5]);
  expect(mean).toBe(3);
  expect(high! - 3).toBeCloseTo(2.7764451 * Math.sqrt(0.5), 6);
  expect(3 - low!).toBeCloseTo(high! - 3, 12);
  expect(bandOf([7])).toEqual({ mean: 7, low: null, high: null });
});

test('a setting makes one run for each environment, policy and seed, and refuses what is not there at once', () => {
  const runs = runsOf({ ...SETTING, environments: ['bernoulli', 'gaussian'] });
  expect(runs.map(({ environment, policy, seed }) => `${environment} ${policy} ${seed}`)).toEqual([
    'bernoulli ucb1 1',
    'bernoulli ucb1 2',
    'bernoulli random 1',
    'bernoulli random 2',
    'gaussian ucb1 1',
    'gaussian ucb1 2',
    'gaussian random 1',
    'gaussian random 2',
  ]);
  expect(() => runsOf({ ...SETTING, policies: ['ucb1', 'ucb7'] })).toThrow(/ucb7/);
  expect(() => runsOf({ ...SETTING, delay: 'x' })).toThrow(/delay x/);
  expect(() => runsOf({ ...SETTING, policies: ['ucb1', 'linucb'] })).toThrow(
    'policy linucb needs a context, environment bernoulli has none',
  );
});

const COMPARISONS = compare(
  SETTING,
  [0, 2, 10, 20].map((by) => summarize(moved(by))),
);

test('each policy is compared over its own seeds', () => {
  const [{ policies }] = COMPARISONS as [(typeof COMPARISONS)[0]];
  expect(policies.map(({ policy, figures }) => [policy, figures.mean!.mean])).toEqual([
    ['ucb1', 23.5],
    ['random', 37.5],
  ]);
  expect(policies[0]!.meanBySeed).toEqual([22.5, 24.5]);
  expect(policies[0]!.arms).toEqual({ units: 8, dealt: [0.5, 0.5], best: [0.25, 0.75] });
});

test('the text shows each policy with its band, and the arms by segment beside the best ones', () => {
  const text = comparisonText(COMPARISONS[0]!);
  expect(text).toContain('bernoulli: 4 users, seeds 1 to 2; an oracle has 28.50 ±12.71 a user');
  expect(text).toMatch(/ucb1 +│ 23\.50 ±12\.71 │/);
  expect(text).toMatch(/best for +│ all +│ 25\.0% │ 75\.0%/);
  expect(text).toMatch(/│ vip=true +│ 50\.0% │ 50\.0%/);
});

test('the JSON has a bar for each figure of each policy', () => {
  const { setting, bars, comparisons } = JSON.parse(resultsJson(COMPARISONS, SETTING)) as {
    setting: Setting;
    bars: readonly { policy: string; figure: string; mean: number; low: number; high: number }[];
    comparisons: readonly { policies: readonly { segments: Record<string, object> }[] }[];
  };
  expect(setting).toEqual(SETTING);
  expect(bars).toHaveLength(2 * 7);
  const bar = bars.find(({ policy, figure }) => policy === 'random' && figure === 'mean')!;
  expect(bar.mean).toBe(37.5);
  expect(bar.low).toBeLessThan(37.5);
  expect(bar.high).toBeGreaterThan(37.5);
  expect(comparisons[0]!.policies[0]!.segments['vip=true']).toMatchObject({ units: 4 });
});

test('the report is one file that asks the network for nothing, and no text of ours can end its data', () => {
  const html = reportHtml(COMPARISONS, { ...SETTING, delay: '</script><script>alert(1)</script>$&' });
  expect(html).not.toMatch(/<(script|link|img)[^>]+(src|href)=/);
  expect(html).not.toContain('alert(1)</script>');
  expect(html).not.toMatch(/\/\*(STYLE|CHARTS|SCRIPT)\*\/|"DATA"/);
  const [, data] = /id="data">(.*?)<\/script>/s.exec(html)!;
  expect(JSON.parse(data!)).toMatchObject({ comparisons: [{ environment: 'bernoulli' }] });
  expect(html).toContain('uPlot');
});
