/**
 * What decides: a definition and the newest snapshot, made ready off the request path, so that a decision makes nothing but
 * its answer. A newer snapshot or definition makes a new one, and the caller swaps them; only exposures are counted in.
 */
import { Corrupt } from '../errors.ts';
import type { ExperimentId } from '../events.ts';
import { contextDimension, type Experiment } from '../experiment.ts';
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
  /** Of the first slot's draws, by kind. */
  readonly salts: ReadonlyMap<string, string>;
  /** Indices of the active arms, ascending. */
  readonly active: readonly number[];
  /** Scratch for one context; holds nothing between decisions. */
  readonly scratch: Float64Array;
}

/** What makes draws of one unit differ. */
export function drawSalt(experimentId: ExperimentId, snapshotVersion: number, kind: string): string {
  return `${experimentId}/${snapshotVersion}/${kind}`;
}

/** @throws Corrupt when the snapshot is of another experiment or orders the arms otherwise. */
export function serve(experiment: Experiment, snapshot: ParametersSnapshot | null): ServedExperiment {
  const active = [...experiment.arms.keys()].filter((index) => experiment.arms[index]!.state === 'active');
  const scratch = new Float64Array(contextDimension(experiment.context));
  if (snapshot === null) return { experiment, snapshot: null, policies: new Map(), salts: new Map(), active, scratch };
  assertFits(experiment, snapshot);
  const defined = new Set(experiment.policies.map((spec) => spec.kind));
  const usual = usualRequest(experiment, snapshot);
  const policies = new Map(
    snapshot.policies
      .filter(({ kind }) => defined.has(kind))
      .map(({ kind, parameters, state }) => [kind, findPolicy(kind).serve(state, parameters, usual)]),
  );
  const { version, digest, clockMs, arms } = snapshot;
  const salts = new Map([...policies.keys()].map((kind) => [kind, drawSalt(experiment.id, version, kind)]));
  return {
    experiment,
    snapshot: { version, digest, clockMs, armCount: arms.length },
    policies,
    salts,
    active,
    scratch,
  };
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
