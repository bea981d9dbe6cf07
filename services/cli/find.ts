/** Looks for one record on the log: a decision by its id, a snapshot by its version. */
import type { Codec, Codecs } from '../contracts/codec.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import { Invalid } from '../core/errors.ts';
import type { ArmId, Decision, ExperimentId } from '../core/events.ts';
import { ReportedSums } from '../core/learning/reported.ts';
import type { ExactVector } from '../core/sums/exact.ts';
import { partitionOf } from '../platform/log/partitioner.ts';
import type { LogRecord, RecordBatch } from '../platform/log/port.ts';
import { readToEnd, startOf } from '../platform/log/read-to-end.ts';
import { readWholes } from '../platform/log/read-wholes.ts';
import type { Installation } from './ports.ts';

export interface Found {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly appendTimeMs: number;
  readonly decision: Decision;
}

const EARLIER_MS = 60_000;
/** A decider that lost the log for longer deals only fallbacks, so its decisions are appended within this. */
const LATER_MS = 3_600_000;

/**
 * A decision that was logged twice is found where it was first.
 * @param sinceMs by the log's time; `null` for about the time that its id, a UUIDv7, carries.
 * @throws Invalid `decision-unknown`; Unavailable.
 */
export async function findDecision(
  { log, topics }: Installation,
  codecs: Codecs,
  { decisionId, sinceMs }: { readonly decisionId: string; readonly sinceMs: number | null },
): Promise<Found> {
  const madeMs = timeOfId(decisionId);
  if (sinceMs === null && madeMs === null) {
    throw new Invalid(
      'decision-unknown',
      `decision id ${decisionId} is no UUIDv7 and so carries no time; give --since TIME to look from there on`,
    );
  }
  const fromMs = sinceMs ?? madeMs! - EARLIER_MS;
  const topic = topics.decisions;
  const starts = await log.admin.offsetsAt(topic, fromMs);
  const ends = sinceMs === null ? await log.admin.offsetsAt(topic, fromMs + EARLIER_MS + LATER_MS) : null;
  const open = starts.flatMap((offset, partition) =>
    ends === null || offset < ends[partition]! ? [{ topic, partition, offset }] : [],
  );
  const passed = new Set<number>();
  const search = searchFor(codecs.decision, decisionId, (decision) => decision.decisionId === decisionId);
  for await (const batch of readToEnd(log, open)) {
    const hit = await search(batch);
    if (hit !== null) {
      const { offset, appendTimeMs } = hit.record;
      return { topic, partition: batch.partition, offset, appendTimeMs, decision: hit.value };
    }
    if (ends !== null && batch.nextOffset >= ends[batch.partition]!) passed.add(batch.partition);
    if (passed.size === open.length) break;
  }
  const hint =
    sinceMs === null ? 'within an hour of the time in its id; give --since TIME to look elsewhere' : 'since then';
  throw new Invalid('decision-unknown', `decision ${decisionId} is not on ${topic} ${hint}`);
}

/** @returns the snapshot that a decision was made from; `null` when compaction has removed it. @throws Unavailable. */
export async function findSnapshot(
  { log, topics }: Installation,
  codecs: Codecs,
  { experimentId, snapshotVersion }: Decision,
): Promise<ParametersSnapshot | null> {
  const starts = await startOf(log, topics.snapshots);
  const partition = partitionOf(experimentId, starts.length);
  const search = searchFor(
    codecs.snapshot,
    experimentId,
    (snapshot) => snapshot.experimentId === experimentId && snapshot.version === snapshotVersion,
  );
  for await (const batch of readWholes(log, [starts[partition]!])) {
    const hit = await search(batch);
    if (hit !== null) return hit.value;
  }
  return null;
}

/** @returns what an experiment has learned, by arm. @throws Invalid `sums-incomplete`; Corrupt; Unavailable. */
export async function findSums(
  { log, topics }: Installation,
  codecs: Codecs,
  experimentId: ExperimentId,
): Promise<ReadonlyMap<ArmId, ExactVector>> {
  const reported = new ReportedSums();
  for await (const { records } of readWholes(log, await startOf(log, topics.tallies))) {
    const own = records.filter(({ value }) => value?.includes(experimentId));
    await codecs.tally.prepare(own.map(({ value }) => value));
    for (const { value } of own) {
      const tally = codecs.tally.decode(value!);
      if (tally.kind === 'sums' && tally.experimentId === experimentId) reported.accept(tally);
    }
  }
  if (reported.isComplete()) return reported.sums.total();
  throw new Invalid('sums-incomplete', `the learner is just writing what it learned of ${experimentId}; try again`);
}

/** @param text stands in the bytes of what is looked for, so that all else need not be decoded. */
function searchFor<T>(codec: Codec<T>, text: string, isIt: (value: T) => boolean) {
  return async (batch: RecordBatch): Promise<{ readonly record: LogRecord; readonly value: T } | null> => {
    const candidates = batch.records.filter(({ value }) => value?.includes(text));
    await codec.prepare(candidates.map(({ value }) => value));
    for (const record of candidates) {
      const value = decoded(codec, record.value!);
      if (value !== null && isIt(value)) return { record, value };
    }
    return null;
  };
}

function decoded<T>(codec: Codec<T>, bytes: Buffer): T | null {
  try {
    return codec.decode(bytes);
  } catch (error) {
    // No reader could read it, so no decision and no snapshot came of it.
    if (error instanceof Invalid) return null;
    throw error;
  }
}

/** @returns ms; `null` when the id is no UUIDv7. */
function timeOfId(id: string): number | null {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) return null;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
