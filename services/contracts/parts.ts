/**
 * Values too large for one record, as several: cut when they are written, put together when they are read.
 *
 * A part's key is KEY#DIGEST/INDEX, by the SHA-256 of the whole value: no write ever overwrites a part of another value,
 * so whatever is compacted or left half-written, a reader has a whole value or nothing of it, never a mixture. Whoever
 * writes a newer value removes the parts of the older one afterwards (WholeWriter). Which of two values is newer is
 * not known here: values say it themselves.
 */
import { createHash } from 'node:crypto';
import { Invalid } from '../core/errors.ts';
import { getOrInsert } from '../core/learning/sums.ts';
import { WHOLE_BYTES_MAX } from './limits.ts';
import { refuse } from './refusals.ts';

/** Bytes of one part: below Kafka's default limit of an append, with room for key and framing. */
export const PART_BYTES_MAX = 880_000;

const PARTS_MAX = Math.ceil(WHOLE_BYTES_MAX / PART_BYTES_MAX);
const PART_KEY = /^(.+)#([0-9a-f]{64})\/(\d+)$/s;
const INDEX_HEADER = 'croupier-part';

export interface Part {
  readonly key: string;
  readonly value: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @returns the value as it is when it fits one record, else its parts in order. */
export function toParts(key: string, value: Buffer): Part[] {
  if (value.length <= PART_BYTES_MAX) return [{ key, value }];
  const digest = sha256(value);
  const count = Math.ceil(value.length / PART_BYTES_MAX);
  return Array.from({ length: count }, (_, index) => ({
    key: `${key}#${digest}/${index}`,
    value: value.subarray(index * PART_BYTES_MAX, (index + 1) * PART_BYTES_MAX),
    headers: { [INDEX_HEADER]: `${index}/${count}` },
  }));
}

/** @returns the key of the value that a record's key belongs to: its own when it is no part. */
export function wholeKey(key: string): string {
  return PART_KEY.exec(key)?.[1] ?? key;
}

/** What the assembler needs of a record. */
interface Readable {
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Puts together what is read from one topic, in the order of the log. Owns the parts of values that are not whole yet. */
export class Assembler<R extends Readable = Readable> {
  /** Keys of the parts that are on the log, of whole values or not, by the key of the value. */
  readonly partKeys = new Map<string, Set<string>>();
  private readonly unfinished = new Map<string, (Buffer | undefined)[]>();
  private readonly onRefused: ((error: Invalid, record: R) => void) | undefined;
  private last: { readonly records: readonly R[]; readonly wholes: readonly R[] } | null = null;

  /** @param onRefused told of parts that do not make up the value that they name; left out, `assemble` throws. */
  constructor(onRefused?: (error: Invalid, record: R) => void) {
    this.onRefused = onRefused;
  }

  /**
   * @param records what was read next; the same array again gives the same answer.
   * @returns records as they are, parts replaced by one record of the whole value where the last of them stood;
   * tombstones of parts are left out.
   * @throws Invalid `contradictory` when parts do not make up the value that they name, and nobody is told.
   */
  assemble(records: readonly R[]): readonly R[] {
    if (this.last?.records === records) return this.last.wholes;
    const wholes = records.flatMap((record) => this.takeOrRefuse(record) ?? []);
    this.last = { records, wholes };
    return wholes;
  }

  private takeOrRefuse(record: R): R | null {
    try {
      return this.take(record);
    } catch (error) {
      if (!(error instanceof Invalid) || this.onRefused === undefined) throw error;
      this.onRefused(error, record);
      return null;
    }
  }

  private take(record: R): R | null {
    const named = record.key === null ? null : PART_KEY.exec(record.key);
    if (named === null) return record;
    const [partKey, key, digest] = named as unknown as [string, string, string];
    if (record.value === null) {
      this.forget(key, digest, partKey);
      return null;
    }
    getOrInsert(this.partKeys, key, () => new Set()).add(partKey);
    const { index, count } = placeOf(record, Number(named[3]));
    const name = `${key}#${digest}`;
    const parts = getOrInsert(this.unfinished, name, () => Array.from<undefined>({ length: count }));
    parts[index] = record.value;
    if (parts.length !== count || parts.includes(undefined)) return null;
    this.unfinished.delete(name);
    const value = Buffer.concat(parts as Buffer[]);
    if (sha256(value) !== digest)
      refuse('contradictory', `the ${count} parts of ${key} do not have its digest ${digest}`);
    return { ...record, key, value };
  }

  private forget(key: string, digest: string, partKey: string): void {
    this.unfinished.delete(`${key}#${digest}`);
    const known = this.partKeys.get(key);
    known?.delete(partKey);
    if (known?.size === 0) this.partKeys.delete(key);
  }
}

function placeOf({ key, headers }: Readable, index: number): { readonly index: number; readonly count: number } {
  const count = Number(/^\d+\/(\d+)$/.exec(headers[INDEX_HEADER] ?? '')?.[1] ?? Number.NaN);
  if (count >= 2 && count <= PARTS_MAX && index < count) return { index, count };
  refuse('contradictory', `part ${key} with ${INDEX_HEADER} ${JSON.stringify(headers[INDEX_HEADER])}`);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
