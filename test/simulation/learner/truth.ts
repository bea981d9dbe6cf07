/**
 * What must be known at any cut of the logs: the pure core run over them one record after the other, dropping nothing,
 * and at the end the definition of the sums itself.
 */
import { sealSnapshot } from '../../../services/contracts/seal.ts';
import { Invalid } from '../../../services/core/errors.ts';
import type { ExperimentId, InputEvent, PerStream, Stream } from '../../../services/core/events.ts';
import { type Experiment, lineOf, promotedLines } from '../../../services/core/experiment.ts';
import { addCounts, type Counts, zeroCounts } from '../../../services/core/learning/counts.ts';
import { MergedSums } from '../../../services/core/learning/merge.ts';
import type { Rules } from '../../../services/core/learning/partition.ts';
import { getOrInsert } from '../../../services/core/learning/sums.ts';
import { reflectedBy } from '../../../services/core/learning/tally.ts';
import { cellsOf, Oracle } from '../../support/core.ts';
import { sumsByDefinition } from '../../support/definition.ts';

/** A record of an input topic; without an event when it cannot be read. */
export interface Recorded {
  readonly stream: Stream;
  readonly appendTimeMs: number;
  readonly event: InputEvent | null;
}

export interface Inputs {
  readonly decisions: Recorded[];
  readonly rewards: Recorded[];
}

export type Cut = PerStream & { readonly partition: number };

export class Truth {
  private readonly inputs: readonly Inputs[];
  private readonly limits: Rules['limits'];
  private readonly definitions: ReadonlyMap<ExperimentId, readonly Experiment[]>;
  /** By the newest definitions. */
  private readonly partitions: readonly PartitionTruth[];
  /** By line that another has taken the place of: as if its last definition still stood. */
  private readonly earlier = new Map<ExperimentId, readonly PartitionTruth[]>();
  private digests: Map<ExperimentId, string> | null = null;

  /** @param definitions of each experiment, by version − 1. */
  constructor(
    inputs: readonly Inputs[],
    definitions: ReadonlyMap<ExperimentId, readonly Experiment[]>,
    limits: Rules['limits'],
  ) {
    this.inputs = inputs;
    this.limits = limits;
    this.definitions = definitions;
    this.partitions = this.learnedBy([]);
  }

  /** @returns the digest of a snapshot built under that version of the definition from all below the cuts. */
  digestAt(id: ExperimentId, version: number, cuts: readonly Cut[]): string {
    const definition = this.definitions.get(id)![version - 1]!;
    const partitions = this.partitionsOf(definition);
    const merged = new MergedSums();
    for (const cut of cuts) {
      const { sums } = partitions[cut.partition]!.at(cut).state;
      for (const { experimentId, cohort, sums: arms } of sums.entries()) {
        if (experimentId === lineOf(definition)) merged.replace(cut.partition, cohort, arms);
      }
    }
    return sealSnapshot(definition, merged, new Map()).digest;
  }

  private partitionsOf(definition: Experiment): readonly PartitionTruth[] {
    const line = lineOf(definition);
    const versions = this.definitions.get(definition.id)!;
    if (lineOf(versions.at(-1)!) === line) return this.partitions;
    const last = versions.findLast((one) => lineOf(one) === line)!;
    return getOrInsert(this.earlier, line, () => this.learnedBy([last]));
  }

  private learnedBy(instead: readonly Experiment[]): PartitionTruth[] {
    const newest = [...this.definitions.values()].map((versions) => versions.at(-1)!);
    const experiments = new Map([...newest, ...instead].map((one) => [one.id, one]));
    return this.inputs.map((of) => new PartitionTruth(of, { experiments, limits: this.limits }));
  }

  /** By partition. */
  get ends(): readonly { readonly end: PerStream }[] {
    return this.partitions;
  }

  /** Those of promoted definitions that stand at the end. */
  get lines(): readonly ExperimentId[] {
    return promotedLines([...this.definitions.values()].map((versions) => versions.at(-1)!));
  }

  /** By experiment, at the end of the logs and under the newest definition. */
  finalDigests(): ReadonlyMap<ExperimentId, string> {
    const ends = this.partitions.map(({ end }, partition) => ({ partition, ...end }));
    this.digests ??= new Map(
      [...this.definitions].map(([id, { length }]) => [id, this.digestAt(id, length, ends)] as const),
    );
    return this.digests;
  }

  finalCounts(): Counts {
    const total = zeroCounts();
    for (const partition of this.partitions) addCounts(total, partition.at(partition.end).state.counts);
    return total;
  }

  /** The same, when all that has run out by now is dropped. */
  finalCountsWhenDropped(): Counts {
    const total = zeroCounts();
    for (const partition of this.learnedBy([])) {
      const reading = partition.at(partition.end);
      reading.drop();
      addCounts(total, reading.state.counts);
    }
    return total;
  }

  /** Records that nobody can learn from, as topic/partition/offset. */
  refused(): string[] {
    return this.partitions.flatMap((truth, partition) =>
      [...truth.at(truth.end).refused].map((place) => place.replace('/', `/${partition}/`)),
    );
  }

  /** @returns what is wrong with the oracle itself: where its sums are not what they are by definition. */
  contradictions(): string[] {
    return this.partitions.flatMap((truth, partition) => {
      const oracle = truth.at(truth.end);
      const expected = cellsOf(sumsByDefinition(oracle.groups.values(), truth.rules));
      return expected.join() === oracle.sums().join()
        ? []
        : [`partition ${partition}: the core's sums are not the definition's`];
    });
  }
}

class PartitionTruth {
  readonly end: PerStream;
  readonly rules: Rules;
  private readonly inputs: Inputs;
  private reader: CoreReading;

  constructor(inputs: Inputs, rules: Rules) {
    this.inputs = inputs;
    this.rules = rules;
    this.end = { decisions: inputs.decisions.length, rewards: inputs.rewards.length };
    this.reader = new CoreReading(rules);
  }

  /** Reads on when it can, else from the start. */
  at(cut: PerStream): CoreReading {
    if (!reflectedBy(this.reader.state.offsets, cut)) this.reader = new CoreReading(this.rules);
    const { offsets } = this.reader.state;
    for (const stream of ['decisions', 'rewards'] as const) {
      for (const record of this.inputs[stream].slice(offsets[stream], cut[stream])) this.reader.read(record);
    }
    return this.reader;
  }
}

/** Reads records as they stand on the log, with what cannot be learned from. */
export class CoreReading extends Oracle {
  /** As stream/offset. */
  readonly refused = new Set<string>();

  read({ stream, appendTimeMs, event }: Recorded): void {
    const before = this.state.offsets;
    if (event === null) {
      this.state.observe(stream, before[stream] + 1, appendTimeMs);
      this.refuse(stream, before);
      return;
    }
    try {
      this.learn(event);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      this.refuse(stream, before);
    }
  }

  private refuse(stream: Stream, { [stream]: offset }: PerStream): void {
    this.refused.add(`${stream}/${offset}`);
    addCounts(this.state.counts, { [`${stream}In`]: 1, [`${stream}DeadLettered`]: 1 });
  }
}
