/**
 * PUCB, upper confidence bounds over a portrait of the unit: a cell for each arm and value of a feature counts exposures
 * n_f and adds up rewards, and an arm's score is the mean over the unit's values f of
 * Σr_f/(n_f + e) + α √(2 ln N_f/(n_f + e)), with N_f the exposures of all arms to f.
 * The cells are sums that contexts have anyway: Σx with an intercept is the first column of Σxxᵀ, and Σrx stands beside it.
 */
import { Corrupt, Invalid } from '../errors.ts';
import { gramStart, VECTOR_START } from '../sums/layout.ts';
import { shareAmongBest } from './best.ts';
import { freshVector } from './fresh-vector.ts';
import { countedExposures, type Policy, type PolicyInput } from './policy.ts';
import { checkContext, requireArmsAndContext } from './ridge.ts';
import { block, parameter } from './state.ts';

/** Share of a sum by which rounding may make two sums contradict each other. */
const ROUNDING = 1e-9;

export const pucb: Policy = {
  kind: 'pucb',
  doc: "The greatest mean of upper confidence bounds, one for each of the unit's features. Deterministic between two snapshots.",
  contextual: true,
  indicatorsOnly: true,
  parameters: [
    { name: 'alpha', default: 1, min: 0, max: 100, doc: 'Width of the confidence bounds.' },
    {
      name: 'prior',
      default: 0.1,
      min: 1e-6,
      max: 1e6,
      doc: 'e: exposures without reward that each cell starts with.',
    },
  ],

  prepare(input) {
    requireArmsAndContext('pucb', input);
    const cells = input.sums.map((_, arm) => cellsOf(input, arm));
    return new Map([
      ['exposures', joined(cells.map(({ exposures }) => exposures))],
      ['rewards', joined(cells.map(({ rewards }) => rewards))],
      ['dimension', Float64Array.of(input.layout.dimension)],
    ]);
  },

  serve(state, parameters) {
    const dimension = block(state, 'dimension')[0]!;
    const cells = boundedCells(block(state, 'exposures'), block(state, 'rewards'), dimension, parameters);
    const { bounds } = cells;
    function scores(context: Float64Array, eligible: readonly number[]): Float64Array {
      checkContext(context, dimension);
      const means = freshVector(eligible.length);
      for (let i = 0; i < means.length; i++) means[i] = meanOfActive(bounds, eligible[i]! * dimension, context);
      return means;
    }
    return {
      probabilities: (context, eligible) => shareAmongBest(scores(context, eligible)),
      scores,
      exposures: countedExposures((context, arm) => {
        for (let f = 0; f < dimension; f++) if (context[f] !== 0) cells.expose(arm * dimension + f);
      }),
    };
  },
};

/** The intercept is everybody's feature, and the only one of a unit whose values are all unknown. */
function meanOfActive(bounds: Float64Array, start: number, context: Float64Array): number {
  let sum = 0;
  let active = 0;
  for (let f = 0; f < context.length; f++) {
    if (context[f] === 0) continue;
    sum += bounds[start + f]!;
    active++;
  }
  return sum / active;
}

interface BoundedCells {
  readonly bounds: Float64Array;
  /** Counts one more exposure into the width of a bound. */
  expose(cell: number): void;
}

function boundedCells(
  exposures: Float64Array,
  rewards: Float64Array,
  dimension: number,
  parameters: ReadonlyMap<string, number>,
): BoundedCells {
  const alpha = parameter(parameters, 'alpha');
  const prior = parameter(parameters, 'prior');
  const totals = new Float64Array(dimension);
  exposures.forEach((n, cell) => {
    totals[cell % dimension]! += n;
  });
  const counts = exposures.slice();
  function boundOf(cell: number): number {
    const logarithm = Math.log(Math.max(totals[cell % dimension]!, 1));
    return rewards[cell]! / (exposures[cell]! + prior) + alpha * Math.sqrt((2 * logarithm) / (counts[cell]! + prior));
  }
  const bounds = counts.map((_, cell) => boundOf(cell));
  return {
    bounds,
    expose(cell) {
      counts[cell]! += 1;
      bounds[cell] = boundOf(cell);
    },
  };
}

/**
 * @throws Invalid `policy-context` when a feature is not always 0 or 1; Corrupt `reward-sums` when there is more reward than
 *   exposures of at most 1 could bring.
 */
function cellsOf(
  { layout, armIds, delayCorrected, sums }: PolicyInput,
  arm: number,
): { readonly exposures: Float64Array; readonly rewards: Float64Array } {
  const { dimension } = layout;
  const vector = sums[arm]!;
  const exposures = new Float64Array(dimension);
  const rewards = vector.slice(VECTOR_START, VECTOR_START + dimension);
  for (let f = 0; f < dimension; f++) {
    const row = gramStart(layout) + (f * (f + 1)) / 2;
    // Whoever has rewarded has been exposed.
    exposures[f] = delayCorrected === true ? Math.max(vector[row]!, rewards[f]!) : vector[row]!;
    if (!(Math.abs(vector[row + f]! - vector[row]!) <= ROUNDING * (1 + vector[row + f]!))) {
      throw new Invalid(
        'policy-context',
        `pucb: number ${f} of the context of arm ${armIds[arm]} has Σx = ${vector[row]} and Σx² = ${vector[row + f]}; ` +
          'pucb needs features that are 0 or 1',
      );
    }
    if (!(rewards[f]! >= 0 && rewards[f]! <= exposures[f]! + ROUNDING * (1 + exposures[f]!))) {
      throw new Corrupt(
        'reward-sums',
        `arm ${armIds[arm]}: number ${f} of the context has ${exposures[f]} exposures and rewards of ${rewards[f]}, ` +
          'allowed is 0 to 1 an exposure; its sums are wrong',
      );
    }
  }
  return { exposures, rewards };
}

function joined(vectors: readonly Float64Array[]): Float64Array {
  return Float64Array.from(vectors.flatMap((vector) => [...vector]));
}
