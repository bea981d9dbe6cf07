/** What all runs of one command have in common, and the runs that come of it. */
import { parseDelay } from './delays.ts';
import { findEnvironment } from './environments/catalogue.ts';
import { parsePolicy } from './policies.ts';
import type { RunOptions } from './run.ts';

export interface Setting {
  readonly environments: readonly string[];
  readonly policies: readonly string[];
  readonly seeds: readonly number[];
  readonly users: number;
  readonly delay: string;
  readonly neverShare: number;
  readonly snapshotEvery: number;
}

/**
 * @returns by environment, by policy, by seed, in that order.
 * @throws Invalid when something named in the setting is not there, before anything has run.
 */
export function runsOf(setting: Setting): RunOptions[] {
  const { environments, policies, seeds, users, delay, neverShare, snapshotEvery } = setting;
  for (const name of environments) findEnvironment(name);
  for (const policy of policies) parsePolicy(policy);
  parseDelay(delay);
  return environments.flatMap((environment) =>
    policies.flatMap((policy) =>
      seeds.map((seed) => ({ environment, policy, seed, users, delay, neverShare, snapshotEvery })),
    ),
  );
}
