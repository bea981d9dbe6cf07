import { describe, expect, it } from 'vitest';
import { Corrupt, Invalid } from '../../../../services/core/errors.ts';
import type { Feature, Layout } from '../../../../services/core/experiment.ts';
import { LayoutSearch } from '../../../../services/core/numerics/hill-climbing.ts';
import { logistic } from '../../../../services/core/numerics/logistic.ts';
import { patternFeatures } from '../../../../services/core/patterns.ts';
import { bayesianLogistic } from '../../../../services/core/policies/bayesian-logistic.ts';
import { LayoutModel } from '../../../../services/core/policies/layout-model.ts';
import { validateParameters } from '../../../../services/core/policies/registry.ts';
import { type Random, seededRandom } from '../../../../services/core/random.ts';
import { CONTEXT, type Count, countedInput, PAGE } from './layouts.ts';
import { learned, served } from './policies.ts';

const ALL = Array.from({ length: 27 }, (_, layout) => layout);
const PATTERNS = 6;
const [VISITOR, RETURNING] = [2, 3].map((pattern) => patternFeatures(CONTEXT, pattern)) as [Float64Array, Float64Array];

/** A world in which returning visitors buy by layout 26 and all others by layout 0. */
function counts(random: Random, visits: number): Count[] {
  return ALL.flatMap((arm) =>
    Array.from({ length: PATTERNS }, (_, pattern): Count => {
      const rate = arm === (pattern % 2 === 1 ? 26 : 0) ? 0.4 : 0.1;
      let sumR = 0;
      for (let visit = 0; visit < visits; visit++) if (random.next() < rate) sumR++;
      return { arm, pattern, n: visits, sumR };
    }),
  );
}

function state(input = countedInput(counts(seededRandom(1), 40)), parameters: Record<string, number> = {}) {
  return bayesianLogistic.prepare(input, validateParameters(bayesianLogistic, new Map(Object.entries(parameters))));
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

describe('the Bayesian logistic model of layouts', () => {
  it('deals each visitor the layout that is best for them, and none never', () => {
    const policy = served(bayesianLogistic, countedInput(counts(seededRandom(1), 40)));
    for (const [context, best] of [
      [VISITOR, 0],
      [RETURNING, 26],
    ] as const) {
      const probabilities = policy.probabilities(context, ALL);
      expect(probabilities.indexOf(Math.max(...probabilities))).toBe(best);
      expect(probabilities[best]).toBeGreaterThan(0.5);
      expect(Math.min(...probabilities)).toBeGreaterThanOrEqual(0.01 / 27 - 1e-12);
      expect(Math.abs(sum(probabilities) - 1)).toBeLessThanOrEqual(1e-12);
    }
  });

  it('learns from layouts about others that share their variants', () => {
    const seen = counts(seededRandom(2), 200).filter(({ arm }) => arm !== 13);
    const scores = served(bayesianLogistic, countedInput(seen)).scores(VISITOR, ALL);
    expect(scores[13]).toBeGreaterThan(0.05);
    expect(scores[13]).toBeLessThan(0.2);
    expect(scores[0]).toBeGreaterThan(0.25);
  });

  it('spreads evenly, about, where nothing is known', () => {
    const probabilities = served(bayesianLogistic, countedInput([]), { draws: 2_000 }).probabilities(VISITOR, ALL);
    for (const p of probabilities) expect(Math.abs(p - 1 / 27)).toBeLessThan(5 * Math.sqrt(1 / 27 / 2_000));
  });

  it('estimates what any other set of draws does, with exhaustive search, within chance', () => {
    const learnedState = state(countedInput(counts(seededRandom(3), 5)));
    const policy = bayesianLogistic.serve(
      learnedState,
      validateParameters(
        bayesianLogistic,
        new Map([
          ['draws', 2_000],
          ['epsilon', 1e-6],
        ]),
      ),
      null,
    );
    const found = policy.probabilities(VISITOR, ALL);
    const expected = shareByOwnDraws(learnedState, VISITOR, 20_000);
    for (const [layout, p] of expected.entries()) {
      const error = Math.sqrt((p * (1 - p)) / 2_000 + (p * (1 - p)) / 20_000) + 1e-4;
      expect(Math.abs(found[layout]! - p)).toBeLessThan(4.5 * error);
    }
    expect(policy.approximate).toBe(true);
  });

  it('answers to the bit the same, whoever serves the snapshot and whatever was asked before', () => {
    const [one, other] = [state(), state()].map((same) =>
      bayesianLogistic.serve(same, validateParameters(bayesianLogistic, new Map()), null),
    ) as [ReturnType<typeof served>, ReturnType<typeof served>];
    const first = one.probabilities(VISITOR, ALL);
    other.probabilities(RETURNING, [1, 4, 5]);
    other.probabilities(VISITOR, [0, 2]);
    expect(other.probabilities(VISITOR, ALL)).toEqual(first);
    first.fill(0);
    expect(one.probabilities(VISITOR, ALL)).toEqual(other.probabilities(VISITOR, ALL));
  });

  it('errs otherwise from one snapshot to the next', () => {
    const at = (n: number) =>
      served(bayesianLogistic, countedInput([{ arm: 0, pattern: 2, n, sumR: 0 }]), { priorVariance: 1 });
    expect(at(1).probabilities(VISITOR, ALL)).not.toEqual(at(1 + 1e-9).probabilities(VISITOR, ALL));
  });

  it('chooses among the eligible alone', () => {
    const policy = served(bayesianLogistic, countedInput(counts(seededRandom(1), 40)));
    const some = [1, 5, 13, 25];
    const probabilities = policy.probabilities(VISITOR, some);
    expect(probabilities).toHaveLength(4);
    expect(Math.abs(sum(probabilities) - 1)).toBeLessThanOrEqual(1e-12);
    expect([...policy.probabilities(VISITOR, [7])]).toEqual([1]);
  });

  it('takes late and revised rewards as if they had been there at once, to the bit', () => {
    const early = countedInput([{ arm: 3, pattern: 1, n: 10, sumR: 4 }]);
    const late = countedInput([
      { arm: 3, pattern: 1, n: 10, sumR: 1 },
      { arm: 8, pattern: 1, n: 2, sumR: 1 },
      { arm: 3, pattern: 1, n: 0, sumR: 3 },
      { arm: 8, pattern: 1, n: -2, sumR: -1 },
    ]);
    expect(state(late)).toEqual(state(early));
  });

  it('works without a context', () => {
    const input = countedInput(
      [
        { arm: 5, pattern: 0, n: 100, sumR: 90 },
        { arm: 0, pattern: 0, n: 100, sumR: 10 },
      ],
      { ...PAGE, crosses: [] },
      [],
    );
    const scores = served(bayesianLogistic, input).scores(new Float64Array(), ALL);
    expect(scores[5]).toBeGreaterThan(0.6);
    expect(scores[0]).toBeLessThan(0.3);
  });
});

/** The same by other means: draws of its own, every layout tried, log odds added up row by row. */
function shareByOwnDraws(learnedState: ReturnType<typeof state>, context: Float64Array, draws: number): number[] {
  const model = new LayoutModel(learnedState);
  const [mean, precision] = ['mean', 'precision'].map((name) => learnedState.get(name)!) as [
    Float64Array,
    Float64Array,
  ];
  const rows = ALL.map((layout) => model.active(layout, context));
  const random = seededRandom(99);
  const best = ALL.map(() => 0);
  for (let draw = 0; draw < draws; draw++) {
    const weights = mean.map((m, i) => m + random.normal() / Math.sqrt(precision[i]!));
    const scores = rows.map((active) => active.reduce((total, weight) => total + weights[weight]!, 0));
    best[scores.indexOf(Math.max(...scores))]! += 1;
  }
  return best.map((count) => count / draws);
}

describe('the weights of a layout', () => {
  it('are an intercept, those of context and variants, and one for each combination of a cross', () => {
    const model = new LayoutModel(state());
    expect(model.size).toBe(1 + 3 + 9 + 3 * 9 + 3 * (3 * 2) + 3 * (3 * 1));
    const used = new Set(
      ALL.flatMap((layout) => [
        ...model.active(layout, RETURNING),
        ...model.active(layout, patternFeatures(CONTEXT, 4)),
      ]),
    );
    expect(used.size).toBe(model.size);
    for (const layout of ALL) {
      const active = [...model.active(layout, RETURNING)];
      expect(active).toEqual([...new Set(active)].sort((a, b) => a - b));
    }
  });

  it('say the same to the search as row by row, in every context', () => {
    const model = new LayoutModel(state());
    const random = seededRandom(5);
    const weights = Float64Array.from({ length: 10 + model.size }, () => random.normal());
    const mains = new Float64Array(model.variantCount);
    const search = new LayoutSearch(model);
    for (let pattern = 0; pattern < PATTERNS; pattern++) {
      const context = patternFeatures(CONTEXT, pattern);
      model.mains(mains, weights, 10, context);
      const common = 10;
      const byRow = (layout: number) =>
        model.active(layout, context).reduce((total, i) => total + weights[common + i]!, 0);
      const bySearch = (layout: number) => search.score({ mains, weights, offset: 10 }, layout);
      for (const layout of ALL) {
        expect(bySearch(layout) - bySearch(0)).toBeCloseTo(byRow(layout) - byRow(0), 12);
      }
    }
  });
});

describe('bad input is named', () => {
  const NAN = Float64Array.from(VISITOR).fill(Number.NaN, 2, 3);

  it.each([
    ['a context of another length', new Float64Array(3), ALL, 'context has 3 numbers, the snapshot has 4'],
    ['NaN in the context', NAN, ALL, 'number 2 of the context is NaN'],
    ['no eligible arm', VISITOR, [], 'no arm is eligible, at least one is needed'],
  ])('%s', (_what, context, eligible, message) => {
    const policy = served(bayesianLogistic, countedInput([]));
    expect(() => policy.probabilities(context, eligible)).toThrow(Invalid);
    expect(() => policy.probabilities(context, eligible)).toThrow(message);
  });

  it.each([
    [Number.NaN, 0],
    [-1, 0],
    [3, 4],
    [3, -1],
    [Number.POSITIVE_INFINITY, 1],
    [3, Number.NaN],
  ])('counts that no rewards can give: n %d and Σr %d', (n, sumR) => {
    const input = countedInput([{ arm: 2, pattern: 1, n, sumR }]);
    expect(() => state(input)).toThrow(Corrupt);
    expect(() => state(input)).toThrow(
      `arm 1/1/3, pattern 1 of the context: n is ${n} and Σr ${sumR}, allowed are finite`,
    );
  });

  it('an experiment without a layout', () => {
    expect(() => served(bayesianLogistic, learned(2, 3, []))).toThrow(Invalid);
    expect(() => served(bayesianLogistic, learned(2, 3, []))).toThrow('bayesian-logistic needs a layout');
  });

  it.each<[string, Layout, readonly Feature[], string]>([
    [
      'an unknown cross',
      { ...PAGE, crosses: [['headline', 'weather']] },
      CONTEXT,
      'cross headline × weather: allowed are two aspects',
    ],
    [
      'a cross with itself',
      { ...PAGE, crosses: [['image', 'image']] },
      CONTEXT,
      'cross image × image: allowed are two aspects',
    ],
    [
      'too many weights',
      {
        aspects: ['a', 'b'].map((name) => ({ name, variants: Array.from({ length: 40 }, (_, v) => `${v}`) })),
        crosses: [['a', 'b']],
      },
      [],
      "the layout's model has 1681 weights, allowed 512",
    ],
  ])('%s', (_what, layout, context, message) => {
    expect(() => state(countedInput([], layout, context))).toThrow(Invalid);
    expect(() => state(countedInput([], layout, context))).toThrow(message);
  });

  it.each([
    ['priorVariance', 0],
    ['epsilon', 0],
    ['epsilon', Number.NaN],
    ['draws', 0],
    ['restarts', 0],
    ['steps', -1],
    ['speed', 1],
  ])('parameter %s of %d', (name, value) => {
    expect(() => validateParameters(bayesianLogistic, new Map([[name, value]]))).toThrow(Invalid);
    expect(() => validateParameters(bayesianLogistic, new Map([[name, value]]))).toThrow(name);
  });

  it('a snapshot that lacks a block', () => {
    const blocks = new Map(state());
    blocks.delete('precision');
    expect(() => bayesianLogistic.serve(blocks, validateParameters(bayesianLogistic, new Map()), null)).toThrow(
      'policy state lacks block precision',
    );
  });
});

describe('the logistic function', () => {
  it.each([-800, -40, -1, 0, 1, 40, 800])('of %d is a probability, and of both signs adds up to 1', (x) => {
    expect(logistic(x)).toBeGreaterThanOrEqual(0);
    expect(logistic(x) + logistic(-x)).toBeCloseTo(1, 15);
  });
});
