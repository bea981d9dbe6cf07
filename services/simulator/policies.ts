/**
 * What can be simulated: every policy of the registry, and two yardsticks that learn nothing and serve no experiment.
 */
import { Invalid } from '../core/errors.ts';
import type { PolicySpec } from '../core/experiment.ts';
import type { ServingPolicy } from '../core/policies/policy.ts';
import { allPolicies, findPolicy, validateParameters } from '../core/policies/registry.ts';
import { STEPS_MAX } from './time.ts';

export interface SimulatedPolicy {
  /** As it was asked for. */
  readonly label: string;
  /** Of a yardstick the parameters are empty. */
  readonly spec: PolicySpec;
  /** `null` for a policy that counts all it has learned alike. */
  readonly forgetting: SimulatedForgetting | null;
  /** What serves for a yardstick, from the first step to the last; `null` for a policy that learns. */
  readonly yardstick: ServingPolicy | null;
}

export interface SimulatedForgetting {
  readonly kind: 'half-life' | 'window';
  readonly spanSteps: number;
}

const YARDSTICKS: ReadonlyMap<string, ServingPolicy> = new Map([
  ['random', fixed((eligible) => new Float64Array(eligible.length).fill(1 / eligible.length))],
  ['always-first', fixed((eligible) => Float64Array.from(eligible, (_, at) => (at === 0 ? 1 : 0)))],
]);

/**
 * @param text a kind and parameters, such as `epsilon-greedy:epsilon=.3` or `linucb:alpha=.5:lambda=2`; of any policy that
 *   learns also `half-life` or `window`, in steps, by which it forgets: `ucb1:half-life=500`.
 * @throws Invalid naming what is unknown or out of range, and what is allowed.
 */
export function parsePolicy(text: string): SimulatedPolicy {
  const [kind = '', ...settings] = text.split(':');
  const given = new Map(settings.map((setting) => parseSetting(text, setting)));
  const yardstick = YARDSTICKS.get(kind);
  if (yardstick !== undefined) {
    if (given.size > 0) throw new Invalid('policy-parameter', `${text}: ${kind} takes no parameters`);
    return { label: text, spec: { kind, parameters: given }, forgetting: null, yardstick };
  }
  if (!allPolicies().some((policy) => policy.kind === kind)) {
    const known = [...YARDSTICKS.keys(), ...allPolicies().map((policy) => policy.kind)].join(', ');
    throw new Invalid('policy-unknown', `policy ${kind} is unknown, allowed are ${known}`);
  }
  const forgetting = takeForgetting(text, given);
  const spec = { kind, parameters: validateParameters(findPolicy(kind), given) };
  return { label: text, spec, forgetting, yardstick: null };
}

/** @param given loses what is taken. */
function takeForgetting(text: string, given: Map<string, number>): SimulatedForgetting | null {
  const [first, second] = (['half-life', 'window'] as const).filter((kind) => given.has(kind));
  if (first === undefined) return null;
  if (second !== undefined) throw new Invalid('policy-parameter', `${text}: ${first} and ${second}, allowed is one`);
  const spanSteps = given.get(first)!;
  given.delete(first);
  if (Number.isInteger(spanSteps) && spanSteps >= 1 && spanSteps <= STEPS_MAX) return { kind: first, spanSteps };
  throw new Invalid(
    'policy-parameter',
    `${text}: ${first} is ${spanSteps}, allowed whole steps from 1 to ${STEPS_MAX}`,
  );
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
