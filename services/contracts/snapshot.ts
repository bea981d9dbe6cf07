/** Snapshots between their core type and their Avro record. Not here: their digest (digest.ts). */
import type { ParametersSnapshot, PreparedPolicy, Statistics } from '../core/deciding/snapshot.ts';
import type { ArmId, ExperimentId } from '../core/events.ts';
import { counted, finite, namedMap, sortedEntries, text, whole } from './checks.ts';
import { float64Bytes, float64Values } from './float64.ts';
import { ARMS_MAX } from './limits.ts';
import { refuse } from './refusals.ts';

export interface SnapshotRecord {
  readonly experimentId: string;
  readonly experimentVersion: number;
  readonly version: number;
  readonly digest: string;
  readonly clockMs: number;
  readonly offsets: readonly { readonly partition: number; readonly decisions: number; readonly rewards: number }[];
  readonly arms: readonly ({ readonly armId: string } & Statistics)[];
  readonly holdout: Statistics | null;
  readonly policies: readonly PolicyRecord[];
}
interface PolicyRecord {
  readonly kind: string;
  readonly parameters: readonly { readonly name: string; readonly value: number }[];
  readonly blocks: readonly { readonly name: string; readonly values: Buffer }[];
}

export function toSnapshot(snapshot: ParametersSnapshot): SnapshotRecord {
  return { ...header(snapshot), policies: snapshot.policies.map(toPolicy) };
}

export function fromSnapshot(raw: SnapshotRecord): ParametersSnapshot {
  return { ...header(raw), policies: raw.policies.map(fromPolicy) };
}

type Header = Omit<ParametersSnapshot, 'policies'>;

function header(raw: Omit<SnapshotRecord, 'policies'>): Header {
  if (!/^[0-9a-f]{64}$/.test(raw.digest)) {
    refuse('contradictory', `digest ${JSON.stringify(raw.digest)}, allowed 64 hexadecimal digits`);
  }
  return {
    experimentId: text('experimentId', raw.experimentId) as ExperimentId,
    experimentVersion: whole('experimentVersion', raw.experimentVersion, { min: 1 }),
    version: whole('version', raw.version, { min: 0 }),
    digest: raw.digest,
    clockMs: whole('clockMs', raw.clockMs, { min: 0 }),
    offsets: offsets(raw.offsets),
    arms: counted('number-range', 'arms', raw.arms, 1, ARMS_MAX).map((arm) => ({
      armId: text('armId', arm.armId) as ArmId,
      ...statistics(arm),
    })),
    holdout: raw.holdout === null ? null : statistics(raw.holdout),
  };
}

function offsets(raw: SnapshotRecord['offsets']): Header['offsets'] {
  return raw.map(({ partition, decisions, rewards }, index) => {
    if (index > 0 && raw[index - 1]!.partition >= partition)
      refuse('contradictory', 'offsets not ascending by partition');
    return {
      partition: whole('partition', partition, { min: 0 }),
      decisions: whole('offset of decisions', decisions, { min: 0 }),
      rewards: whole('offset of rewards', rewards, { min: 0 }),
    };
  });
}

function statistics({ pulls, n, sumR, sumRR }: Statistics): Statistics {
  return {
    pulls: finite('pulls', pulls),
    n: finite('n', n),
    sumR: finite('sumR', sumR),
    sumRR: finite('sumRR', sumRR),
  };
}

function toPolicy({ kind, parameters, state }: PreparedPolicy): PolicyRecord {
  const blocks = sortedEntries(state).map(({ name, value }) => ({ name, values: float64Bytes(value) }));
  return { kind: text('policy kind', kind), parameters: sortedEntries(parameters), blocks };
}

function fromPolicy({ kind, parameters, blocks }: PolicyRecord): PreparedPolicy {
  const values = blocks.map((block) => ({
    name: block.name,
    value: float64Values(`block ${block.name}`, block.values),
  }));
  return {
    kind: text('policy kind', kind),
    parameters: namedMap('parameter', parameters),
    state: namedMap('block', values),
  };
}
