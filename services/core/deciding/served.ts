/**
 * What decides: a definition and the newest snapshot, made ready off the request path. Immutable; a newer snapshot or
 * definition makes a new one, and the caller swaps them.
 */
import { Corrupt } from '../errors.ts';
import type { Experiment } from '../experiment.ts';
import type { ServingPolicy, UsualRequest } from '../policies/policy.ts';
import { findPolicy } from '../policies/registry.ts';
import type { ParametersSnapshot } from './snapshot.ts';

export interface ServedSnapshot {
  readonly version: number;
  readonly digest: string;
  readonly clockMs: number;
  /** Arms beyond this index were defined after the snapshot was built, and wait for the next one. */
  readonly armCount: number;
}

export interface ServedExperiment {
  readonly experiment: Experiment;
  /** `null` until a first snapshot comes: then the fallback arm is dealt. */
  readonly snapshot: ServedSnapshot | null;
  /** By kind; those that both the definition and the snapshot have. */
  readonly policies: ReadonlyMap<string, ServingPolicy>;
}

/** @throws Corrupt when the snapshot is of another experiment or orders the arms otherwise. */
export function serve(experiment: Experiment, snapshot: ParametersSnapshot | null): ServedExperiment {
  if (snapshot === null) return { experiment, snapshot: null, policies: new Map() };
  assertFits(experiment, snapshot);
  const defined = new Set(experiment.policies.map((spec) => spec.kind));
  const usual = usualRequest(experiment, snapshot);
  const policies = new Map(
    snapshot.policies
      .filter(({ kind }) => defined.has(kind))
      .map(({ kind, parameters, state }) => [kind, findPolicy(kind).serve(state, parameters, usual)]),
  );
  const { version, digest, clockMs, arms } = snapshot;
  return { experiment, snapshot: { version, digest, clockMs, armCount: arms.length }, policies };
}

/** All active arms that the snapshot has, in as many slots as may be asked for; `null` when there is no such arm. */
function usualRequest({ arms, slots }: Experiment, snapshot: ParametersSnapshot): UsualRequest | null {
  const eligible = [...snapshot.arms.keys()].filter((index) => arms[index]?.state === 'active');
  return eligible.length === 0 ? null : { eligible, slots };
}

function assertFits(experiment: Experiment, snapshot: ParametersSnapshot): void {
  if (snapshot.experimentId !== experiment.id) {
    throw new Corrupt('snapshot', `snapshot of experiment ${snapshot.experimentId} was given to ${experiment.id}`);
  }
  // One of the two may be newer, but arms are only ever appended.
  const common = Math.min(experiment.arms.length, snapshot.arms.length);
  for (let arm = 0; arm < common; arm++) {
    const defined = experiment.arms[arm]!.id;
    const held = snapshot.arms[arm]!.armId;
    if (defined === held) continue;
    throw new Corrupt(
      'snapshot',
      `experiment ${experiment.id}: arm ${arm} is ${defined} in version ${experiment.version} and ${held} in ` +
        `snapshot ${snapshot.version}; arms keep their order for life`,
    );
  }
}
