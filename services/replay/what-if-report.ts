/** What a what-if found, as tables for people. */
import type { Estimate, OffPolicyResult } from '../core/evaluation/off-policy.ts';
import { type Cell, renderTable } from '../platform/table.ts';
import type { LearnedArm, WhatIf } from './what-if.ts';

export const WHAT_IF_HELP = `
What if: judges the definition in a file by what was logged of the experiment with its id. The units are put into parts by
a hash; the decisions of each part of the later half are judged by what the parts before it teach, so no parameter has seen a
reward that it is judged by. It tells what the policy earns as it is after half of that log and more, not what learning it
costs. All sides are judged by the reward and attribution of one definition (--judge-by), on the same decisions: those
that were drawn and are old enough. Values are estimates off the logged propensities, with 95 % intervals (asymptotic, by
unit): IPS, SNIPS, and DR with the arms' means in the parts before as its model. No number is given where the effective sample
is below 100 or the weights' mean is not 1. The log does not keep which arms a request allowed: where requests leave arms
out, weights show it. Of decisions of several slots the first is judged; arms that are new in the candidate are not, as
nothing was logged of them. What deciders count as dealt since a snapshot is left out. A what-if that was ended begins anew.`;

/** @returns lines, the last one ended. */
export function describeWhatIf(found: WhatIf): string {
  const sides = found.sides.map(({ name, policy, result }) => [name, policy, ...cellsOf(result)]);
  const arms = found.arms.map(({ armId, live, candidate }) => [armId, ...armCells(live), ...armCells(candidate)]);
  const refused = found.sides.flatMap(({ name, result }) =>
    result.status === 'refused' ? [`${name}: no estimate: ${result.reason}\n`] : [],
  );
  const sample = found.share < 1 ? `, of ${(100 * found.share).toFixed(1)} % of the units` : '';
  return (
    `${found.experimentId}: ${found.decisions} decisions judged by the ${found.judgedBy} definition's reward${sample}; ` +
    `${found.taught} only learned from, ${found.immature} too young, ${found.unlabelled} without a reward that counts\n` +
    `${renderTable(['a decision earns', 'policy', 'IPS', 'SNIPS', 'DR', 'DR less as dealt', 'ESS', 'weight max'], sides)}\n` +
    refused.join('') +
    `${renderTable(['arm', 'live: n', 'mean', 'probability', 'candidate: n', 'mean', 'probability'], arms)}\n`
  );
}

function cellsOf(result: OffPolicyResult): Cell[] {
  const weights = [Math.round(result.effectiveSampleSize), result.weightMax.toPrecision(3)];
  if (result.status === 'refused') return ['-', '-', '-', '-', ...weights];
  return [...[result.ips, result.snips, result.dr, result.gain].map(shown), ...weights];
}

function shown({ value, interval }: Estimate): string {
  return `${value.toPrecision(4)} (${interval.low.toPrecision(4)} to ${interval.high.toPrecision(4)})`;
}

function armCells(arm: LearnedArm | null): Cell[] {
  if (arm === null) return ['-', '-', '-'];
  return [arm.n, arm.mean?.toPrecision(4) ?? '-', arm.probability?.toFixed(4) ?? '-'];
}
