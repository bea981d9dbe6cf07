/**
 * Linear Thompson sampling (Agrawal & Goyal 2013), one model an arm: θ̃ ~ N(θ, (vσ)²A⁻¹), with σ the noise of one reward.
 * Because the arms' draws are independent, the probability that an arm's xᵀθ̃ is the greatest is exact by a one-dimensional
 * integral over N(xᵀθ, (vσ)²xᵀA⁻¹x), and nothing is drawn but the arm itself.
 */
import { Corrupt } from '../errors.ts';
import { NormalSelection } from '../numerics/normal-selection.ts';
import { SUM_RR } from '../sums/layout.ts';
import { shareByWeight } from './best.ts';
import type { Policy, PolicyInput } from './policy.ts';
import { checkContext, fitRidge, RidgeModels, requireArmsAndContext, rewardsOf } from './ridge.ts';
import { block, parameter } from './state.ts';
import { statistic } from './statistics.ts';

/** Of a reward in [0, 1], at most; the estimate of the noise starts with one such reward. */
const NOISE_VARIANCE_MAX = 0.25;
/** What rounding leaves of a variance that should be next to nothing. */
const VARIANCE_MIN = 1e-16;
/** Share of Σr² by which rounding may make a residual negative. */
const ROUNDING = 1e-6;

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
      doc: 'Ridge: the weight of the prior that all coefficients are 0.',
    },
  ],

  prepare(input, parameters) {
    requireArmsAndContext('linear-ts', input);
    const { theta, inverse } = fitRidge(input, parameter(parameters, 'lambda'));
    return new Map([
      ['theta', theta],
      ['inverse', inverse],
      ['noise', Float64Array.of(Math.sqrt(noiseVariance(input, theta)))],
    ]);
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

/**
 * Mean squared residual over all arms. Σr² − θᵀΣrx is an arm's residual and its ridge penalty, so it cannot be negative.
 * @throws Corrupt `reward-sums` naming the arm.
 */
function noiseVariance(input: PolicyInput, theta: Float64Array): number {
  const { dimension } = input.layout;
  const counted = statistic(input, 'n').reduce((sum, n) => sum + n, 1);
  let squares = NOISE_VARIANCE_MAX;
  for (let arm = 0; arm < input.sums.length; arm++) {
    const total = input.sums[arm]![SUM_RR]!;
    const explained = rewardsOf(input, arm).reduce((sum, cell, i) => sum + cell * theta[arm * dimension + i]!, 0);
    if (!(total - explained >= -ROUNDING * (1 + total))) {
      throw new Corrupt(
        'reward-sums',
        `arm ${input.armIds[arm]}: its model explains ${explained} of Σr² = ${total}; its sums are wrong`,
      );
    }
    squares += Math.max(total - explained, 0);
  }
  return Math.max(squares / counted, VARIANCE_MIN);
}
