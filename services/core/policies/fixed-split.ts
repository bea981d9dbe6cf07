/**
 * Fixed shares, as in an A/B test: each arm's attribute `share`, whatever is learned. Without any such attribute all
 * arms share alike; once one arm has it, an arm without is not dealt. Shares are relative to those of the eligible arms
 * (all alike when theirs are 0); ones that add up to 1 are used unchanged.
 */
import { Invalid } from '../errors.ts';
import { pick, shareByWeight } from './best.ts';
import type { Policy, PolicyInput } from './policy.ts';
import { block } from './state.ts';

const SHARE = 'share';
const SHARE_MAX = 1e6;

export const fixedSplit: Policy = {
  kind: 'fixed-split',
  doc: 'Arms in proportion to their attribute share, all alike without it; learns nothing (A/B test, random baseline).',
  contextual: false,
  parameters: [],

  prepare: (input) => new Map([['share', shares(input)]]),

  serve(state) {
    const given = block(state, 'share');
    return {
      probabilities: (_context, eligible) => shareByWeight(pick(given, eligible)),
      scores: (_context, eligible) => pick(given, eligible),
    };
  },
};

/** @throws Invalid `arms-none`; `policy-attribute` naming the arm whose share is out of range. */
function shares({ armIds, attributes }: PolicyInput): Float64Array {
  if (armIds.length === 0) throw new Invalid('arms-none', 'there is no arm to choose, at least one is needed');
  if (attributes.every((own) => !own.has(SHARE))) return new Float64Array(armIds.length).fill(1);
  return Float64Array.from(attributes, (own, arm) => {
    const share = own.get(SHARE) ?? 0;
    if (share >= 0 && share <= SHARE_MAX) return share;
    throw new Invalid(
      'policy-attribute',
      `policy fixed-split: arm ${armIds[arm]} has the attribute share ${share}, allowed 0 to ${SHARE_MAX}`,
    );
  });
}
