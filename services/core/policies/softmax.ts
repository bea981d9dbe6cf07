/** Softmax, or Boltzmann exploration: p ∝ exp(mean/τ). An untried arm has mean 0. */
import { pick, shareByLogWeight } from './best.ts';
import type { Policy } from './policy.ts';
import { block, parameter } from './state.ts';
import { meanRewards } from './statistics.ts';

export const softmax: Policy = {
  kind: 'softmax',
  doc: 'Arms in proportion to e to the power of their mean reward over a temperature.',
  contextual: false,
  parameters: [
    {
      name: 'temperature',
      default: 0.1,
      min: 1e-6,
      max: 1e6,
      doc: 'Difference of mean rewards in [0, 1] that makes an arm e times as likely; small is greedy, large is even.',
    },
  ],

  prepare: (input) => new Map([['mean', meanRewards(input)]]),

  serve(state, parameters) {
    const means = block(state, 'mean');
    const temperature = parameter(parameters, 'temperature');
    return {
      probabilities(_context, eligible) {
        const logarithms = pick(means, eligible);
        for (let i = 0; i < logarithms.length; i++) logarithms[i]! /= temperature;
        return shareByLogWeight(logarithms);
      },
      scores: (_context, eligible) => pick(means, eligible),
    };
  },
};
