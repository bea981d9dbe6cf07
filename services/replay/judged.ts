/**
 * Reads a log once and learns it by several definitions of one experiment at the same time, the units put into parts by a
 * hash: the sums of each part by each definition, and what each decision that was drawn turned out to be worth by one of
 * them.
 */
import { uniform53 } from '../core/allocation/hash.ts';
import type { ExperimentId, UnitId } from '../core/events.ts';
import { armOf, type Experiment } from '../core/experiment.ts';
import { type JoinLimits, lowClock } from '../core/join/group.ts';
import { MergedSums } from '../core/learning/merge.ts';
import { type CohortSums, PartitionSums, type SumDelta } from '../core/learning/sums.ts';
import { REWARD_UNITS } from '../core/quantize.ts';
import type { InputRecord } from '../platform/join/input.ts';
import { InputReader } from '../platform/join/input-reader.ts';
import { PartitionJoin } from '../platform/join/partition-join.ts';
import type { Store } from '../platform/store/port.ts';
import type { ReplaySource } from './plan.ts';
import type { Span } from './span.ts';

const POLL_WAIT_MS_MAX = 500;

export interface JudgeOptions extends ReplaySource {
  readonly limits: JoinLimits;
  readonly pollRecordsMax: number;
  readonly span: Pick<Span, 'from' | 'to'>;
  /** All that stand: a unit's share of what is learned from is one for all experiments. */
  readonly experiments: ReadonlyMap<ExperimentId, Experiment>;
  /** Of one experiment; the first says what decisions are worth. */
  readonly definitions: readonly [Experiment, ...Experiment[]];
  /** How many parts the units are put into. */
  readonly parts: number;
  /** Only decisions that are so much older than the end, by the log clocks, are judged. */
  readonly matureMs: number;
  /** Units whose decisions are judged, in (0, 1]; all are learned from. */
  readonly share: number;
  openStore(name: string): Promise<Store>;
  onRecords(records: number): void;
}

/** A decision that was drawn; of several slots the first, which is what a decision of one slot would have been. */
export interface JudgedDecision {
  readonly unitId: UnitId;
  /** Of its unit, from 0. */
  readonly part: number;
  readonly armIndex: number;
  readonly propensity: number;
  readonly features: readonly number[];
  readonly experimentVersion: number;
  /** In [0, 1]; `null` when it does not count, as nothing came of it (`delay: labelled`). */
  reward: number | null;
}

export interface Judged {
  readonly decisions: readonly JudgedDecision[];
  /** Drawn, but not old enough. */
  readonly immature: number;
  /** By definition. */
  readonly sums: readonly PartSums[];
}

/** The sums of one definition, part by part. */
export class PartSums {
  private readonly added: { part: number; partition: number; cohort: number; sums: CohortSums }[] = [];

  add(part: number, partition: number, added: PartitionSums): void {
    for (const { cohort, sums } of added.entries()) this.added.push({ part, partition, cohort, sums });
  }

  /** @returns what the parts before one teach; all of them for `null`. */
  before(end: number | null): MergedSums {
    const merged = new MergedSums();
    const parts = Math.max(0, ...this.added.map(({ part }) => part)) + 1;
    for (const { part, partition, cohort, sums } of this.added) {
      if (end === null || part < end) merged.replace(partition * parts + part, cohort, sums);
    }
    return merged;
  }
}

export async function judge(options: JudgeOptions): Promise<Judged> {
  const sums = options.definitions.map(() => new PartSums());
  const decisions: JudgedDecision[] = [];
  let immature = 0;
  for (const partition of options.span.to.keys()) {
    const judge = new PartitionJudge(options, partition);
    const found = await judge.run();
    for (const [i, parts] of found.sums.entries()) {
      for (const [part, own] of parts.entries()) sums[i]!.add(part, partition, own);
    }
    for (const { decision, clockMs } of found.decisions) {
      if (clockMs + options.matureMs <= found.clockMs) decisions.push(decision);
      else immature += 1;
    }
  }
  return { decisions, immature, sums };
}

interface Dated {
  readonly decision: JudgedDecision;
  readonly clockMs: number;
}

class PartitionJudge {
  private readonly options: JudgeOptions;
  private readonly partition: number;
  private readonly sums: PartitionSums[][];
  /** By unit and decision. */
  private readonly found = new Map<string, Dated>();

  constructor(options: JudgeOptions, partition: number) {
    this.options = options;
    this.partition = partition;
    this.sums = options.definitions.map(() => Array.from({ length: options.parts }, () => new PartitionSums()));
  }

  async run(): Promise<{ decisions: Iterable<Dated>; sums: PartitionSums[][]; clockMs: number }> {
    const { options, partition } = this;
    const { span, definitions, codecs } = options;
    const partitions = span.to.length;
    const stores: Store[] = [];
    const joins: PartitionJoin[] = [];
    const reader = new InputReader({ ...options, partition, partitions }, span.from[partition]!);
    try {
      for (const [i, definition] of definitions.entries()) {
        const store = await options.openStore(`${partition}-${i}`);
        stores.push(store);
        const rules = {
          experiments: new Map([...options.experiments, [definition.id, definition]]),
          limits: options.limits,
        };
        joins.push(await PartitionJoin.open({ partition, partitions, rules, store, tallyCodec: codecs.tally }));
      }
      for await (const records of reader.readUpTo(span.to[partition]!, POLL_WAIT_MS_MAX)) {
        for (const record of records) for (const [i, join] of joins.entries()) this.fold(join, record, i);
        for (const join of joins) await join.writeGroups();
        options.onRecords(records.length);
      }
      return { decisions: this.found.values(), sums: this.sums, clockMs: lowClock(joins[0]!.state.clocks) };
    } finally {
      await reader.close();
      for (const store of stores) await store.close();
    }
  }

  /** One record at a time: what it changes is of its own unit. */
  private fold(join: PartitionJoin, record: InputRecord, definition: number): void {
    const { event } = record;
    const unitId = 'unitId' in event ? event.unitId : null;
    join.fold([record], {
      counted: true,
      learned: (delta) => {
        if (delta.decision.experimentId !== this.options.definitions[0].id) return false;
        const part = partOf(unitId!, delta.decision.experimentId, this.options.parts);
        this.sums[definition]![part]!.apply(delta);
        if (definition === 0) this.see(record, unitId!, part, delta);
        return false;
      },
    });
  }

  private see({ event }: InputRecord, unitId: UnitId, part: number, { decision, slot, after }: SumDelta): void {
    if (slot !== decision.slots[0]) return;
    const name = `${decision.decisionId}\u0000${unitId}`;
    const reward = after.rewardUnits === null ? null : after.rewardUnits / REWARD_UNITS;
    const known = this.found.get(name);
    if (known !== undefined) known.decision.reward = reward;
    else if ('slots' in event && event.reason === 'bandit' && this.isSampled(unitId)) {
      const [definition] = this.options.definitions;
      const armIndex = definition.arms.indexOf(armOf(definition, slot.armId)!);
      const { features, experimentVersion } = event;
      const drawn = { unitId, part, armIndex, propensity: slot.propensity, features, experimentVersion, reward };
      this.found.set(name, { decision: drawn, clockMs: decision.clockMs });
    }
  }

  private isSampled(unitId: UnitId): boolean {
    return this.options.share >= 1 || uniform53('what-if/share', unitId) < this.options.share;
  }
}

function partOf(unitId: UnitId, experimentId: ExperimentId, parts: number): number {
  return Math.floor(uniform53(`what-if/${experimentId}`, unitId) * parts);
}
