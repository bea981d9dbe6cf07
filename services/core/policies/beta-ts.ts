/**
 * Beta–Bernoulli Thompson sampling with exact selection probabilities. Fractional rewards in [0, 1] count as
 * fractional successes: Beta(α₀ + Σr, β₀ + n − Σr).
 */
import { Corrupt } from '../errors.ts';
import { BetaPosteriors } from '../numerics/beta-posteriors.ts';
import { pick } from './best.ts';
import type { Policy } from './policy.ts';
import { block, parameter } from './state.ts';
import { statistic } from './statistics.ts';
import { selected, thompsonServing } from './thompson.ts';

export const betaTs: Policy = {
  kind: 'beta-ts',
  doc: 'Each arm with the probability that it is the best, given independent Beta posteriors.',
  contextual: false,
  parameters: [
    { name: 'priorAlpha', default: 1, min: 0.1, max: 1e6, doc: 'Successes each arm is assumed to start with.' },
    { name: 'priorBeta', default: 1, min: 0.1, max: 1e6, doc: 'Failures each arm is assumed to start with.' },
  ],

  prepare(input, parameters) {
    const priorAlpha = parameter(parameters, 'priorAlpha');
    const priorBeta = parameter(parameters, 'priorBeta');
    const n = statistic(input, 'n');
    const sumR = statistic(input, 'sumR');
    const alpha = sumR.map((successes) => priorAlpha + successes);
    const beta = sumR.map((successes, arm) => {
      const failures = priorBeta + n[arm]! - successes;
      if (failures > 0) return failures;
      throw new Corrupt(
        'sums',
        `arm ${input.armIds[arm]}: sumR is ${successes}, allowed is at most n, which is ${n[arm]}`,
      );
    });
    return new Map([
      ['alpha', alpha],
      ['beta', beta],
      ['probability', selected(new BetaPosteriors(alpha, beta))],
    ]);
  },

  serve(state, _parameters, usual) {
    const alpha = block(state, 'alpha');
    const beta = block(state, 'beta');
    const means = alpha.map((a, arm) => a / (a + beta[arm]!));
    return thompsonServing(
      block(state, 'probability'),
      means,
      (eligible) => new BetaPosteriors(pick(alpha, eligible), pick(beta, eligible)),
      usual,
    );
  },
};
