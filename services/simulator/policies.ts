/**
 * What can be simulated: every policy of the registry, and two yardsticks that learn nothing and serve no experiment.
 */
import { Invalid } from '../core/errors.ts';
import type { PolicySpec } from '../core/experiment.ts';
import type { ServingPolicy } from '../core/policies/policy.ts';
import { allPolicies, findPolicy, validateParameters } from '../core/policies/registry.ts';

export interface SimulatedPolicy {
  /** As it was asked for. */
  readonly label: string;
  /** Of a yardstick the parameters are empty. */
  readonly spec: PolicySpec;
  /** What serves for a yardstick, from the first step to the last; `null` for a policy that learns. */
  readonly yardstick: ServingPolicy | null;
}

const YARDSTICKS: ReadonlyMap<string, ServingPolicy> = new Map([
  ['random', fixed((eligible) => new Float64Array(eligible.length).fill(1 / eligible.length))],
  ['always-first', fixed((eligible) => Float64Array.from(eligible, (_, at) => (at === 0 ? 1 : 0)))],
]);

/**
 * @param text a kind and parameters, such as `epsilon-greedy:epsilon=.3` or `linucb:alpha=.5:lambda=2`.
 * @throws Invalid naming what is unknown or out of range, and what is allowed.
 */
export function parsePolicy(text: string): SimulatedPolicy {
  const [kind = '', ...settings] = text.split(':');
  const given = new Map(settings.map((setting) => parseSetting(text, setting)));
  const yardstick = YARDSTICKS.get(kind);
  if (yardstick !== undefined) {
    if (given.size > 0) throw new Invalid('policy-parameter', `${text}: ${kind} takes no parameters`);
    return { label: text, spec: { kind, parameters: given }, yardstick };
  }
  if (!allPolicies().some((policy) => policy.kind === kind)) {
    const known = [...YARDSTICKS.keys(), ...allPolicies().map((policy) => policy.kind)].join(', ');
    throw new Invalid('policy-unknown', `policy ${kind} is unknown, allowed are ${known}`);
  }
  return { label: text, spec: { kind, parameters: validateParameters(findPolicy(kind), given) }, yardstick: null };
}

function parseSetting(text: string, setting: string): [string, number] {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(setting) ?? [];
  if (name !== undefined && Number.isFinite(Number(value))) return [name, Number(value)];
  throw new Invalid('policy-parameter', `${text}: ${setting}, allowed is name=number`);
}

function fixed(probabilities: (eligible: readonly number[]) => Float64Array): ServingPolicy {
  return {
    probabilities: (_context, eligible) => probabilities(eligible),
    scores: (_context, eligible) => probabilities(eligible),
  };
}
