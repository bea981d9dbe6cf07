/** What all runs of one command have in common, and the runs that come of it. */
import { Invalid } from '../core/errors.ts';
import { findPolicy } from '../core/policies/registry.ts';
import { seededRandom } from '../core/random.ts';
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
  readonly pendingExposure: boolean;
}

/**
 * @returns by environment, by policy, by seed, in that order.
 * @throws Invalid when something named in the setting is not there, before anything has run.
 */
export function runsOf(setting: Setting): RunOptions[] {
  const { environments, policies, seeds, users, delay, neverShare, snapshotEvery, pendingExposure } = setting;
  for (const environment of environments) checkFits(environment, policies);
  parseDelay(delay);
  return environments.flatMap((environment) =>
    policies.flatMap((policy) =>
      seeds.map((seed) => ({ environment, policy, seed, users, delay, neverShare, snapshotEvery, pendingExposure })),
    ),
  );
}

/** @throws Invalid when one of them is unknown, or a policy needs a context or a layout that the environment has not. */
function checkFits(environment: string, policies: readonly string[]): void {
  const { features, layout } = findEnvironment(environment).create(seededRandom(0));
  for (const policy of policies) {
    const { spec, yardstick } = parsePolicy(policy);
    if (yardstick !== null) continue;
    const { contextual, layoutsOnly } = findPolicy(spec.kind);
    if (layoutsOnly !== undefined && layout === null) {
      throw new Invalid('policy-layout', `policy ${spec.kind} needs a layout, environment ${environment} has none`);
    }
    if (contextual && layoutsOnly === undefined && features.length === 0) {
      throw new Invalid('policy-context', `policy ${spec.kind} needs a context, environment ${environment} has none`);
    }
  }
}
