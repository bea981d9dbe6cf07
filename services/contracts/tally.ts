/**
 * Tallies between their core type and their Avro record. Canonical: equal tallies have equal bytes, in whatever order
 * the arms were learned. Not here: which of two tallies stands, or how they merge (core/learning).
 */
import type { ArmId, ExperimentId, PerStream } from '../core/events.ts';
import { COUNT_NAMES, type Counts, zeroCounts } from '../core/learning/counts.ts';
import { type CohortSums, DELAYS, HOLDOUT } from '../core/learning/sums.ts';
import type { CohortTally, ProgressTally, Tally } from '../core/learning/tally.ts';
import { ADDEND_MAX } from '../core/quantize.ts';
import { DELAYS_SIZE } from '../core/sums/delays.ts';
import { ExactVector } from '../core/sums/exact.ts';
import { namedMap, sortedEntries, text, whole } from './checks.ts';
import { float64Bytes, float64Values } from './float64.ts';
import { refuse } from './refusals.ts';

export interface TallyRecord {
  readonly partition: number;
  readonly partitions: number;
  readonly offsets: PerStream;
  readonly clocks: PerStream;
  readonly body:
    | { readonly 'dev.croupier.v1.CohortSums': CohortSumsRecord }
    | { readonly 'dev.croupier.v1.PartitionProgress': ProgressRecord };
}
interface CohortSumsRecord {
  readonly experimentId: string;
  readonly cohort: number;
  readonly rolledUp: boolean;
  readonly changedTogether: number;
  readonly delays: VectorRecord | null;
  readonly arms: readonly ArmSumsRecord[];
}
interface VectorRecord {
  readonly hi: Buffer;
  readonly lo: Buffer;
}
interface ArmSumsRecord extends VectorRecord {
  readonly armId: string;
}
interface ProgressRecord {
  readonly counts: readonly { readonly name: string; readonly value: number }[];
  readonly lines: readonly string[];
}

type Header = Omit<TallyRecord, 'body'>;
type Body = Omit<CohortTally, keyof Header> | Omit<ProgressTally, keyof Header>;

export function toTally(tally: Tally): TallyRecord {
  return { ...header(tally), body: toBody(tally) };
}

export function fromTally(raw: TallyRecord): Tally {
  return { ...header(raw), ...fromBody(raw.body) };
}

function header({ partition, partitions, offsets, clocks }: Header): Header {
  return {
    partitions: whole('partitions', partitions, { min: 1 }),
    partition: whole('partition', partition, { min: 0, max: partitions - 1 }),
    offsets: perStream('offset', offsets),
    clocks: perStream('clock', clocks),
  };
}

function perStream(name: string, { decisions, rewards }: PerStream): PerStream {
  return {
    decisions: whole(`${name} of decisions`, decisions, { min: 0 }),
    rewards: whole(`${name} of rewards`, rewards, { min: 0 }),
  };
}

function toBody(body: Body): TallyRecord['body'] {
  if (body.kind === 'progress') {
    const counts = sortedEntries(new Map(Object.entries(body.counts)));
    return { 'dev.croupier.v1.PartitionProgress': { counts, lines: body.lines } };
  }
  const arms = [...body.sums]
    .filter(([armId, vector]) => armId !== DELAYS && !vector.isZero())
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([armId, vector]) => ({ armId: armOrHoldout(armId), ...vectorRecord(vector) }));
  const counted = body.sums.get(DELAYS);
  const delays = counted === undefined ? null : vectorRecord(counted);
  const experimentId = text('experimentId', body.experimentId);
  const { rolledUp } = body;
  const cohort = cohortIndex(body.cohort);
  const changedTogether = together(body);
  return { 'dev.croupier.v1.CohortSums': { experimentId, cohort, rolledUp, changedTogether, delays, arms } };
}

function fromBody(body: TallyRecord['body']): Body {
  if ('dev.croupier.v1.PartitionProgress' in body) {
    const progress = body['dev.croupier.v1.PartitionProgress'];
    const lines = progress.lines.map((line) => text('line', line) as ExperimentId);
    return { kind: 'progress', counts: fromCounts(progress), lines };
  }
  const record = body['dev.croupier.v1.CohortSums'];
  const { experimentId, cohort, rolledUp, delays, arms } = record;
  const sums: CohortSums = new Map();
  for (const arm of arms) {
    const armId = armOrHoldout(arm.armId as ArmId);
    if (sums.has(armId)) refuse('contradictory', `arm ${armId} stands twice`);
    sums.set(armId, exactVector(`arm ${armId}`, arm));
  }
  if (delays !== null) {
    const counts = exactVector('delays', delays);
    if (counts.size !== DELAYS_SIZE) refuse('contradictory', `${counts.size} delays, there are ${DELAYS_SIZE}`);
    sums.set(DELAYS, counts);
  }
  const id = text('experimentId', experimentId) as ExperimentId;
  return {
    kind: 'sums',
    experimentId: id,
    cohort: cohortIndex(cohort),
    rolledUp,
    changedTogether: together(record),
    sums,
  };
}

function armOrHoldout(armId: ArmId): ArmId {
  return armId === HOLDOUT ? armId : text('armId', armId);
}

function together({ changedTogether }: Pick<CohortTally, 'changedTogether'>): number {
  return whole('changedTogether', changedTogether, { min: 1 });
}

function cohortIndex(cohort: number): number {
  return whole('cohort', cohort, { min: 0 });
}

/** A count that a newer version keeps is not known here and left out; one that an older version lacks is 0. */
function fromCounts({ counts }: ProgressRecord): Counts {
  const byName = namedMap('counts', counts);
  const known = zeroCounts();
  for (const name of COUNT_NAMES) known[name] = whole(name, byName.get(name) ?? 0, { min: 0 });
  return known;
}

function vectorRecord(vector: ExactVector): VectorRecord {
  vector.normalize();
  return { hi: float64Bytes(vector.hi), lo: float64Bytes(vector.lo) };
}

function exactVector(of: string, record: VectorRecord): ExactVector {
  const hi = float64Values('hi', record.hi);
  const lo = float64Values('lo', record.lo);
  if (hi.length !== lo.length) refuse('contradictory', `${of}: ${hi.length} high cells, ${lo.length} low`);
  const normal =
    hi.every(Number.isSafeInteger) && lo.every((cell) => Number.isSafeInteger(cell) && cell >= 0 && cell < ADDEND_MAX);
  if (!normal) refuse('contradictory', `sums of ${of} are not in normal form`);
  return ExactVector.from(hi, lo);
}
