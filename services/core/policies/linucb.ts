/**
 * LinUCB with disjoint linear models (Li, Chu, Langford & Schapire 2010, algorithm 1): score xᵀθ + ασ √(xᵀA⁻¹x).
 * The algorithm has σ = 1 and a prior that arms earn 0; with the noise and what arms earn on average estimated (`ridge.ts`),
 * one α suits rewards of any scale and offset.
 */
import { shareAmongBest } from './best.ts';
import { freshVector } from './fresh-vector.ts';
import { countedExposures, type ParameterSpec, type Policy, type PolicyState, type ServingPolicy } from './policy.ts';
import { checkContext, prepareRidge, RidgeModels, requireArmsAndContext } from './ridge.ts';
import { block, parameter } from './state.ts';

/** Of both kinds of LinUCB. */
export const LINUCB_PARAMETERS: readonly ParameterSpec[] = [
  { name: 'alpha', default: 1.5, min: 0, max: 100, doc: 'Width of the confidence bound, in standard errors.' },
  {
    name: 'lambda',
    default: 1,
    min: 1e-6,
    max: 1e6,
    doc: 'Ridge: the weight of the prior that no feature matters.',
  },
];

export const linUcb: Policy = {
  kind: 'linucb',
  doc: 'The greatest upper confidence bound of a linear model of the context, one model an arm. Deterministic between two snapshots.',
  contextual: true,
  parameters: LINUCB_PARAMETERS,

  prepare(input, parameters) {
    requireArmsAndContext('linucb', input);
    return prepareRidge(input, parameter(parameters, 'lambda'));
  },

  serve: serveUpperBounds,
};

/** @param state blocks `theta`, `inverse` and `noise`, whatever sharing between arms went into them. */
export function serveUpperBounds(state: PolicyState, parameters: ReadonlyMap<string, number>): ServingPolicy {
  const models = RidgeModels.ofTheirOwn(state);
  const width = parameter(parameters, 'alpha') * block(state, 'noise')[0]!;
  function scores(context: Float64Array, eligible: readonly number[]): Float64Array {
    checkContext(context, models.dimension);
    const bounds = freshVector(eligible.length);
    for (let i = 0; i < bounds.length; i++) {
      const arm = eligible[i]!;
      bounds[i] = models.mean(context, arm) + width * Math.sqrt(models.variance(context, arm));
    }
    return bounds;
  }
  return {
    probabilities: (context, eligible) => shareAmongBest(scores(context, eligible)),
    scores,
    exposures: countedExposures((context, arm) => models.expose(context, arm)),
  };
}
