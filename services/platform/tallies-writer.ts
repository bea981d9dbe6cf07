/**
 * Puts tallies on the log: all of an experiment in one partition, for the one publisher that owns it, and the progress that
 * tells of them after them. Owns nothing but the knowledge of which parts of large ones are there.
 */
import type { Codec } from '../contracts/codec.ts';
import { experimentOfTallyKey, progressKey, tallyKey } from '../contracts/keys.ts';
import { experimentOfLine } from '../core/experiment.ts';
import type { CohortTally, ProgressTally, Tally } from '../core/learning/tally.ts';
import { partitionOf } from './log/partitioner.ts';
import type { LogWriter } from './log/port.ts';
import { type Entry, WholeWriter } from './log/whole-writer.ts';

export interface TalliesWriterOptions {
  readonly writer: LogWriter;
  /** Of the tallies, and how many partitions it has. */
  readonly topic: string;
  readonly partitions: number;
  readonly codec: Codec<Tally>;
  /** Of the parts on the log, by the key of the tally; none when left out. */
  readonly partKeys?: Map<string, Set<string>>;
}

/** All that writes throws what `LogWriter.append` does. */
export class TalliesWriter {
  private readonly options: TalliesWriterOptions;
  private readonly wholes: WholeWriter;

  constructor(options: TalliesWriterOptions) {
    this.options = options;
    this.wholes = new WholeWriter(options.writer, options.partKeys ?? new Map());
  }

  async writeSums(tallies: readonly CohortTally[]): Promise<void> {
    const { codec } = this.options;
    await this.write(tallies.map((tally) => ({ key: tallyKey(tally, tally.partition), value: codec.encode(tally) })));
  }

  /** @param entries encoded sums by their keys. */
  async write(entries: readonly Entry[]): Promise<void> {
    const { topic } = this.options;
    const byPartition = Map.groupBy(entries, ({ key }) => this.placeOf(experimentOfLine(experimentOfTallyKey(key))));
    for (const [partition, some] of byPartition) await this.wholes.write({ topic, partition }, some);
  }

  /** Says that all of its partition's sums are there. */
  async writeProgress(progress: ProgressTally): Promise<void> {
    const { writer, topic, codec } = this.options;
    const key = progressKey(progress.partition);
    await writer.append({ topic, partition: this.placeOf(key) }, [{ key, value: codec.encode(progress) }]);
  }

  private placeOf(key: string): number {
    return partitionOf(key, this.options.partitions);
  }
}
