/**
 * What a mirror keeps of one record of a compacted topic: its bytes and what is needed to serve from them when the log
 * is away. One format for every store: a line of JSON, then the bytes. Not here: where it is kept.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Corrupt } from '../../core/errors.ts';

/** `schemas` are the registry's, without which the others cannot be read. */
export const MIRRORED_KINDS = ['schemas', 'experiments', 'snapshots'] as const;
export type MirroredKind = (typeof MIRRORED_KINDS)[number];

export interface MirroredRecord {
  readonly kind: MirroredKind;
  readonly key: string;
  /** Compared number by number, the first counts most: a mirror never replaces a record by one of smaller rank. */
  readonly rank: readonly [number, number];
  readonly appendTimeMs: number;
  readonly value: Buffer;
}

const FORMAT = 1;
const NEWLINE = 0x0a;
const header = z.object({
  format: z.literal(FORMAT),
  kind: z.enum(MIRRORED_KINDS),
  key: z.string(),
  rank: z.tuple([z.int(), z.int()]),
  appendTimeMs: z.int(),
  sha256: z.string(),
});

export function toBytes({ kind, key, rank, appendTimeMs, value }: MirroredRecord): Buffer {
  const facts: z.infer<typeof header> = {
    format: FORMAT,
    kind,
    key,
    rank: [...rank],
    appendTimeMs,
    sha256: sha256(value),
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(facts)}\n`), value]);
}

/** @param where names the bytes in messages. @throws Corrupt when they are not whole, or of another format. */
export function fromBytes(bytes: Buffer, where: string): MirroredRecord {
  const end = bytes.indexOf(NEWLINE);
  const facts = header.safeParse(end < 0 ? null : parseJson(bytes.toString('utf8', 0, end)));
  if (!facts.success) throw new Corrupt('mirror', `${where} does not begin as a mirrored record does`);
  const value = bytes.subarray(end + 1);
  if (sha256(value) !== facts.data.sha256) throw new Corrupt('mirror', `${where}: its bytes do not match their digest`);
  const { kind, key, rank, appendTimeMs } = facts.data;
  return { kind, key, rank, appendTimeMs, value };
}

export function isNewer(a: MirroredRecord['rank'], b: MirroredRecord['rank']): boolean {
  return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @returns `undefined` for what is no JSON: refused by the caller with the place named. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
