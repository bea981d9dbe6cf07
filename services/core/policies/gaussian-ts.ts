/**
 * Thompson sampling for rewards of any spread: normal with unknown mean and variance under a normal–inverse-gamma prior
 * (m₀, κ₀, a₀, b₀), so that an arm's mean is Student's t with 2a degrees of freedom, location m and scale √(b/(aκ)).
 * Selection probabilities are exact. The prior is proper and weak, since Jeffreys' may give an arm up for good after a few
 * bad rewards (Honda & Takemura 2014, arXiv 1311.1894; arXiv 2302.14407).
 */
import { TPosteriors } from '../numerics/t-posteriors.ts';
import { pick } from './best.ts';
import type { Policy, PolicyInput, PolicyState } from './policy.ts';
import { block, parameter } from './state.ts';
import { statistic } from './statistics.ts';
import { selected, thompsonServing } from './thompson.ts';

/**
 * Equal rewards without end would narrow a posterior without end; rewards themselves are whole multiples of 2⁻²⁰, and
 * means that differ by less than this need not be told apart.
 */
const SCALE_MIN = 2 ** -40;

export const gaussianTs: Policy = {
  kind: 'gaussian-ts',
  doc: 'Each arm with the probability that it has the best mean, given normal rewards of unknown mean and variance.',
  contextual: false,
  parameters: [
    { name: 'priorMean', default: 0.5, min: 0, max: 1, doc: 'm₀: mean reward in [0, 1] each arm is assumed to have.' },
    { name: 'priorWeight', default: 1, min: 1e-3, max: 1e6, doc: 'κ₀: how many rewards priorMean is worth.' },
    {
      name: 'priorShape',
      default: 1,
      min: 0.5,
      max: 1e6,
      doc: 'a₀: half of how many rewards the prior variance is worth.',
    },
    {
      name: 'priorRate',
      default: 0.05,
      min: 1e-9,
      max: 1e6,
      doc: 'b₀: prior variance of the rewards, times priorShape.',
    },
  ],

  prepare(input, parameters) {
    const state = posteriors(input, parameters);
    return new Map([...state, ['probability', selected(marginals(state, [...input.armIds.keys()]))]]);
  },

  serve: (state, _parameters, usual) =>
    thompsonServing(block(state, 'probability'), block(state, 'mean'), (eligible) => marginals(state, eligible), usual),
};

/** @returns m, κ, a and b by arm. */
function posteriors(input: PolicyInput, parameters: ReadonlyMap<string, number>): PolicyState {
  const n = statistic(input, 'n');
  const sumR = statistic(input, 'sumR');
  const sumRR = statistic(input, 'sumRR');
  const priorMean = parameter(parameters, 'priorMean');
  const priorWeight = parameter(parameters, 'priorWeight');
  const weight = n.map((count) => priorWeight + count);
  const rate = n.map((count, arm) => {
    if (count === 0) return parameter(parameters, 'priorRate');
    const mean = sumR[arm]! / count;
    const squares = Math.max(sumRR[arm]! - sumR[arm]! * mean, 0);
    const shift = (priorWeight * count * (mean - priorMean) ** 2) / weight[arm]!;
    return parameter(parameters, 'priorRate') + (squares + shift) / 2;
  });
  return new Map([
    ['mean', weight.map((kappa, arm) => (priorWeight * priorMean + sumR[arm]!) / kappa)],
    ['weight', weight],
    ['shape', n.map((count) => parameter(parameters, 'priorShape') + count / 2)],
    ['rate', rate],
  ]);
}

function marginals(state: PolicyState, eligible: readonly number[]): TPosteriors {
  const shape = pick(block(state, 'shape'), eligible);
  const weight = pick(block(state, 'weight'), eligible);
  const scale = pick(block(state, 'rate'), eligible).map((b, i) =>
    Math.max(Math.sqrt(b / (shape[i]! * weight[i]!)), SCALE_MIN),
  );
  return new TPosteriors(
    pick(block(state, 'mean'), eligible),
    scale,
    shape.map((a) => 2 * a),
  );
}
