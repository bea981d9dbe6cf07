/**
 * Linear Thompson sampling (Agrawal & Goyal 2013), one model an arm: θ̃ ~ N(θ, (vσ)²A⁻¹), with σ the noise of one reward.
 * Because the arms' draws are independent, the probability that an arm's xᵀθ̃ is the greatest is exact by a one-dimensional
 * integral over N(xᵀθ, (vσ)²xᵀA⁻¹x), and nothing is drawn but the arm itself.
 */
import { NormalSelection } from '../numerics/normal-selection.ts';
import { shareByWeight } from './best.ts';
import type { Policy } from './policy.ts';
import { checkContext, prepareRidge, RidgeModels, requireArmsAndContext } from './ridge.ts';
import { block, parameter } from './state.ts';

/** What rounding leaves of a variance that should be next to nothing. */
const VARIANCE_MIN = 1e-16;

export const linearTs: Policy = {
  kind: 'linear-ts',
  doc: 'Each arm with the probability that it is the best for the context, given linear models of it, one an arm.',
  contextual: true,
  parameters: [
    {
      name: 'v',
      default: 0.5,
      min: 1e-3,
      max: 100,
      doc: "Width of the posteriors: 1 explores as much as the rewards' estimated noise justifies, less is greedier.",
    },
    {
      name: 'lambda',
      default: 0.05,
      min: 1e-6,
      max: 1e6,
      doc: 'Ridge: the weight of the prior that no feature matters.',
    },
  ],

  prepare(input, parameters) {
    requireArmsAndContext('linear-ts', input);
    return prepareRidge(input, parameter(parameters, 'lambda'));
  },

  serve(state, parameters) {
    const width = parameter(parameters, 'v') * block(state, 'noise')[0]!;
    const models = new RidgeModels(state);
    const selection = new NormalSelection(models.armCount);
    const means = new Float64Array(models.armCount);
    const deviations = new Float64Array(models.armCount);
    function predict(context: Float64Array, eligible: readonly number[]): void {
      checkContext(context, models.dimension);
      for (let i = 0; i < eligible.length; i++) {
        means[i] = models.mean(context, eligible[i]!);
        deviations[i] = width * Math.sqrt(Math.max(models.variance(context, eligible[i]!), VARIANCE_MIN));
      }
    }
    return {
      probabilities(context, eligible) {
        predict(context, eligible);
        const probabilities = new Float64Array(eligible.length);
        selection.select(means, deviations, probabilities);
        return shareByWeight(probabilities);
      },
      scores(context, eligible) {
        predict(context, eligible);
        return means.slice(0, eligible.length);
      },
    };
  },
};
