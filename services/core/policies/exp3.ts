/**
 * Exp3 (Auer, Cesa-Bianchi, Freund & Schapire 2002), for rewards that an adversary may choose:
 * p = (1 − γ) w/Σw + γ/K with ln w = (γ/K) Σ r/p over the eligible arms, where p is the propensity that was logged with
 * each decision, so late rewards count by the probability they were dealt with. Only logarithms of w are kept.
 */
import { Invalid } from '../errors.ts';
import { mixEvenly, pick, shareByLogWeight } from './best.ts';
import type { Policy } from './policy.ts';
import { block, parameter } from './state.ts';
import { statistic } from './statistics.ts';

export const exp3: Policy = {
  kind: 'exp3',
  doc: 'Exponential weights of inverse-propensity rewards: holds against rewards that change at will.',
  contextual: false,
  parameters: [
    { name: 'gamma', default: 0.1, min: 1e-6, max: 1, doc: 'Share spread evenly over all arms, and rate of learning.' },
  ],

  prepare(input) {
    if (input.delayCorrected === true) {
      throw new Invalid(
        'policy-delay',
        'exp3 learns from Σr/p alone, which delay-corrected leaves as it is; take impute',
      );
    }
    return new Map([['sumROverP', statistic(input, 'sumROverP')]]);
  },

  serve(state, parameters) {
    const estimates = block(state, 'sumROverP');
    const gamma = parameter(parameters, 'gamma');
    function scores(_context: Float64Array, eligible: readonly number[]): Float64Array {
      const logarithms = pick(estimates, eligible);
      for (let i = 0; i < logarithms.length; i++) logarithms[i]! *= gamma / logarithms.length;
      return logarithms;
    }
    return {
      probabilities: (context, eligible) => mixEvenly(shareByLogWeight(scores(context, eligible)), gamma),
      scores,
    };
  },
};
