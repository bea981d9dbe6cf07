/** Reading what a snapshot and a definition must contain; what is missing there is corruption or our mistake. */
import { assert, Corrupt } from '../errors.ts';
import type { PolicyState } from './policy.ts';

/** @throws Corrupt when the snapshot lacks the block. */
export function block(state: PolicyState, name: string): Float64Array {
  const values = state.get(name);
  if (values !== undefined) return values;
  throw new Corrupt('policy-state', `policy state lacks block ${name}, it has ${[...state.keys()].join(', ')}`);
}

/** The value of a parameter that validation has filled in. */
export function parameter(parameters: ReadonlyMap<string, number>, name: string): number {
  const value = parameters.get(name);
  assert(value !== undefined, `parameter ${name} was not validated`);
  return value;
}
