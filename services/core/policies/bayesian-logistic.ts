/**
 * Thompson sampling of layouts under a Bayesian logistic model (Chapelle & Li 2011, Algorithm 3; Hill et al. 2017,
 * equations 3 to 8): weights of variants and of selected combinations, fitted to the counts by layout and pattern of the
 * context, so that late and revised rewards count as if they had been there at once.
 *
 * A draw of all weights has one best layout in a context, found by hill climbing. How often a layout is the best cannot be
 * integrated exactly, so each is dealt with the share of draws in which it was found, mixed with an even share ε. The
 * draws are the same for the same snapshot: what is logged is what was drawn from, to the bit.
 */
import { Corrupt, Invalid } from '../errors.ts';
import { type CountedRows, fitLogistic, logistic } from '../numerics/logistic.ts';
import { AnswerMemo } from './answer-memo.ts';
import { freshCopy, freshVector } from './fresh-vector.ts';
import { LayoutModel, layoutModelState, rowsOf } from './layout-model.ts';
import { LayoutSampler } from './layout-sampler.ts';
import type { LayoutInput, Policy, PolicyInput } from './policy.ts';
import { checkContext } from './ridge.ts';
import { block, parameter } from './state.ts';

/** What everybody shares is hardly guessed at beforehand: the first decisions tell. */
const INTERCEPT_VARIANCE = 100;
/** Contexts that were met most often are answered before the first request. */
const READY_CONTEXTS_MAX = 32;
/** Share by which weighing cohorts may round Σr above n. */
const ROUNDING = 1e-9;

export const bayesianLogistic: Policy = {
  kind: 'bayesian-logistic',
  doc: 'Each layout with the share of draws from the posterior of a logistic model in which hill climbing finds it the best. Learns what variants and their combinations do, so that layouts and contexts learn from each other.',
  contextual: true,
  indicatorsOnly: true,
  layoutsOnly: true,
  parameters: [
    {
      name: 'priorVariance',
      default: 0.1,
      min: 1e-4,
      max: 100,
      doc: 'Variance of every weight before any data, in log odds. At .1 a variant or a combination seldom doubles the odds.',
    },
    { name: 'epsilon', default: 0.01, min: 1e-6, max: 1, doc: 'Share spread evenly over all layouts.' },
    { name: 'draws', default: 200, min: 1, max: 2_000, doc: 'From the posterior, to estimate probabilities with.' },
    { name: 'restarts', default: 3, min: 1, max: 100, doc: 'Climbs for each draw; the best one counts.' },
    { name: 'steps', default: 100, min: 1, max: 10_000, doc: 'Changes of one aspect in one climb, at most.' },
  ],

  prepare(input, parameters) {
    const layouts = requireLayouts(input);
    const described = layoutModelState(layouts.layout, layouts.context);
    const model = new LayoutModel(described);
    const prior = new Float64Array(model.size).fill(1 / parameter(parameters, 'priorVariance'));
    prior[0] = 1 / INTERCEPT_VARIANCE;
    const { mean, precision } = fitLogistic(countedRows(input, layouts, model), prior);
    return new Map([...described, ['mean', mean], ['precision', precision], ['ready', readyContexts(layouts)]]);
  },

  serve(state, parameters, usual) {
    const model = new LayoutModel(state);
    const sampler = new LayoutSampler(model, state, parameters);
    const memo = new AnswerMemo(model.layoutCount, (context, eligible) => sampler.probabilities(context, eligible));
    const eligible = usual?.eligible ?? Array.from({ length: model.layoutCount }, (_, layout) => layout);
    for (const context of rowsOf(block(state, 'ready'), model.dimension)) memo.find(context, eligible);
    return {
      approximate: true,
      probabilities(context, eligible) {
        checkContext(context, model.dimension);
        return freshCopy(memo.find(context, eligible));
      },
      scores(context, eligible) {
        checkContext(context, model.dimension);
        return rewards(model, block(state, 'mean'), context, eligible);
      },
    };
  },
};

/** @throws Invalid `policy-layout`. */
function requireLayouts({ layouts }: PolicyInput): LayoutInput {
  if (layouts !== undefined) return layouts;
  throw new Invalid('policy-layout', 'bayesian-logistic needs a layout, the experiment names its arms one by one');
}

/** @throws Corrupt `pattern-counts` naming the arm and the pattern whose counts cannot be what the learner keeps. */
function countedRows({ armIds }: PolicyInput, { patterns, counts }: LayoutInput, model: LayoutModel): CountedRows {
  const active: Int32Array[] = [];
  const n: number[] = [];
  const sumR: number[] = [];
  for (const [arm, table] of counts.entries()) {
    for (const [pattern, context] of patterns.entries()) {
      const seen = table[pattern]!;
      const earned = table[patterns.length + pattern]!;
      if (seen === 0 && earned === 0) continue;
      if (!(seen > 0 && seen < Number.POSITIVE_INFINITY && earned >= 0 && earned <= seen * (1 + ROUNDING))) {
        throw new Corrupt(
          'pattern-counts',
          `arm ${armIds[arm]}, pattern ${pattern} of the context: n is ${seen} and Σr ${earned}, allowed are finite ` +
            'numbers with 0 ≤ Σr ≤ n; its sums are wrong',
        );
      }
      active.push(model.active(arm, context));
      n.push(seen);
      sumR.push(earned);
    }
  }
  return { columns: model.size, active, n: Float64Array.from(n), sumR: Float64Array.from(sumR) };
}

/** @returns the contexts that were met most often, one after the other. */
function readyContexts({ patterns, counts }: LayoutInput): Float64Array {
  const met = patterns.map((context, pattern) => ({
    context,
    n: counts.reduce((sum, table) => sum + table[pattern]!, 0),
  }));
  const most = met
    .filter(({ n }) => n > 0)
    .sort((a, b) => b.n - a.n)
    .slice(0, READY_CONTEXTS_MAX);
  return Float64Array.from(most.flatMap(({ context }) => [...context]));
}

/** The most probable mean reward of each layout. */
function rewards(
  model: LayoutModel,
  mean: Float64Array,
  context: Float64Array,
  eligible: readonly number[],
): Float64Array {
  const values = freshVector(eligible.length);
  for (let i = 0; i < values.length; i++) {
    const logit = model.active(eligible[i]!, context).reduce((sum, weight) => sum + mean[weight]!, 0);
    values[i] = logistic(logit);
  }
  return values;
}
