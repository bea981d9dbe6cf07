/**
 * The local store's names and its header; a unit's bytes are in group-format.ts. A cache of the log, so a change of format
 * raises FORMAT and the store is rebuilt; nothing here is a contract with anybody else.
 */
import type { ExperimentId, PerStream } from '../core/events.ts';
import type { JoinLimits } from '../core/join/group.ts';
import type { Counts } from '../core/learning/counts.ts';

export const FORMAT = 9;

/** What a store says of itself, written with every commit. */
export interface StoreHeader {
  readonly format: number;
  readonly partition: number;
  /** Partition count of the input topics. */
  readonly partitions: number;
  readonly limits: JoinLimits;
  readonly offsets: PerStream;
  readonly clocks: PerStream;
  /** Up to here the tallies have been published. */
  readonly published: PerStream;
  readonly counts: Counts;
  /** The promoted lines that were learned, sorted. */
  readonly lines: readonly ExperimentId[];
}

export const HEADER_KEY = 'h';
/** Under it, the bytes of each tally as they are published. */
export const SUMS_FROM = 's/';

export function sumsKey(experimentId: ExperimentId, cohort: number): string {
  return `${SUMS_FROM}${experimentId}/${cohort}`;
}

export function encodeHeader(header: StoreHeader): Buffer {
  return Buffer.from(JSON.stringify(header));
}

/** @returns `null` when the bytes are of another format, or none at all. */
export function decodeHeader(bytes: Buffer): StoreHeader | null {
  try {
    const header = JSON.parse(bytes.toString()) as StoreHeader;
    return header.format === FORMAT ? header : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
