/** Every policy there is, by kind, and the check of parameters that a definition gives. A new policy adds one line here. */
import { Invalid } from '../errors.ts';
import { bayesianLogistic } from './bayesian-logistic.ts';
import { betaTs } from './beta-ts.ts';
import { epsilonGreedy } from './epsilon-greedy.ts';
import { epsilonGreedyAnnealed } from './epsilon-greedy-annealed.ts';
import { epsilonGreedyDecayed } from './epsilon-greedy-decayed.ts';
import { exp3 } from './exp3.ts';
import { exploreThenCommit } from './explore-then-commit.ts';
import { fixedSplit } from './fixed-split.ts';
import { gaussianTs } from './gaussian-ts.ts';
import { linearTs } from './linear-ts.ts';
import { linUcb } from './linucb.ts';
import { linUcbHybrid } from './linucb-hybrid.ts';
import type { ParameterSpec, Policy } from './policy.ts';
import { proportional } from './proportional.ts';
import { pucb } from './pucb.ts';
import { softmax } from './softmax.ts';
import { ucb1 } from './ucb1.ts';
import { ucb1Tuned } from './ucb1-tuned.ts';

const policies: readonly Policy[] = [
  bayesianLogistic,
  betaTs,
  epsilonGreedy,
  epsilonGreedyAnnealed,
  epsilonGreedyDecayed,
  exp3,
  exploreThenCommit,
  fixedSplit,
  gaussianTs,
  linearTs,
  linUcb,
  linUcbHybrid,
  proportional,
  pucb,
  softmax,
  ucb1,
  ucb1Tuned,
];

/** In alphabetical order of kind. */
export function allPolicies(): readonly Policy[] {
  return policies;
}

/** @throws Invalid naming the kinds there are. */
export function findPolicy(kind: string): Policy {
  const policy = policies.find((candidate) => candidate.kind === kind);
  if (policy !== undefined) return policy;
  throw new Invalid(
    'policy-unknown',
    `policy ${kind} is unknown, allowed are ${policies.map((p) => p.kind).join(', ')}`,
  );
}

/**
 * @returns a value for each parameter of the policy, in the policy's order, defaults filled in.
 * @throws Invalid naming the parameter, its value and what is allowed.
 */
export function validateParameters(policy: Policy, given: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  for (const name of given.keys()) {
    if (policy.parameters.some((spec) => spec.name === name)) continue;
    const known = policy.parameters.map((spec) => spec.name).join(', ') || 'none';
    throw new Invalid('policy-parameter', `policy ${policy.kind} has no parameter ${name}, it has ${known}`);
  }
  return new Map(policy.parameters.map((spec) => [spec.name, validated(policy, spec, given.get(spec.name))]));
}

function validated(policy: Policy, spec: ParameterSpec, given: number | undefined): number {
  const value = given ?? spec.default;
  if (value >= spec.min && value <= spec.max) return value;
  throw new Invalid(
    'policy-parameter',
    `policy ${policy.kind}: ${spec.name} is ${value}, allowed ${spec.min} to ${spec.max}`,
  );
}
