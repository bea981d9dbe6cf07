/**
 * A snapshot's digest: SHA-256 over a canonical form of its sums and parameters. Equal inputs give equal digests,
 * however they were read, partitioned or retried; offsets, versions of snapshots and clocks are no part of it.
 *
 * Canonical form: texts and lists begin with their length as u32, numbers are float64, all little-endian;
 * arms stand in the order of the definition, the holdout and the delays after them if there are any, names sorted by UTF-16 code units. −0 is written as 0.
 */
import { createHash, type Hash } from 'node:crypto';
import type { PreparedPolicy } from '../core/deciding/snapshot.ts';
import type { ArmId, ExperimentId } from '../core/events.ts';
import { DELAYS, HOLDOUT } from '../core/learning/sums.ts';
import type { ExactVector } from '../core/sums/exact.ts';
import { sortedEntries } from './checks.ts';
import { float64Bytes } from './float64.ts';

/** Raised when the form changes: digests of different forms must not be compared. */
const FORM = 'croupier-digest-1';

export interface DigestInput {
  readonly experimentId: ExperimentId;
  readonly experimentVersion: number;
  /** In definition order. */
  readonly armIds: readonly ArmId[];
  /** Exact sums by arm; an arm without any counts as all zeros, and all zeros as without any. */
  readonly sums: ReadonlyMap<ArmId, ExactVector>;
  readonly policies: readonly PreparedPolicy[];
}

/** @returns 64 lower-case hexadecimal digits. */
export function snapshotDigest(input: DigestInput): string {
  const form = new CanonicalForm();
  form.text(FORM);
  form.text(input.experimentId);
  form.numbers(Float64Array.of(input.experimentVersion));
  const others = [HOLDOUT, DELAYS].filter((id) => input.sums.get(id)?.isZero() === false);
  const armIds = [...input.armIds, ...others];
  form.count(armIds.length);
  for (const armId of armIds) {
    const vector = input.sums.get(armId);
    const present = vector !== undefined && !vector.isZero();
    form.text(armId);
    form.numbers(present ? vector.hi : new Float64Array());
    form.numbers(present ? vector.lo : new Float64Array());
  }
  form.count(input.policies.length);
  for (const { kind, parameters, state } of input.policies) {
    form.text(kind);
    form.named(new Map([...parameters].map(([name, value]) => [name, Float64Array.of(value)])));
    form.named(state);
  }
  return form.digest();
}

class CanonicalForm {
  private readonly hash: Hash = createHash('sha256');

  count(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.hash.update(bytes);
  }

  text(value: string): void {
    const bytes = Buffer.from(value, 'utf8');
    this.count(bytes.length);
    this.hash.update(bytes);
  }

  numbers(values: Float64Array): void {
    this.count(values.length);
    this.hash.update(float64Bytes(values.map((value) => value + 0)));
  }

  named(blocks: ReadonlyMap<string, Float64Array>): void {
    this.count(blocks.size);
    for (const { name, value } of sortedEntries(blocks)) {
      this.text(name);
      this.numbers(value);
    }
  }

  digest(): string {
    return this.hash.digest('hex');
  }
}
