/**
 * Reads and changes definitions on the `experiments` topic. Holds nothing between calls.
 *
 * The log has no compare-and-set, so two writers may both append, say, version 3. Every reader takes the first of the
 * two, but compaction keeps the last. So a writer reads back what it wrote, and when another was first, it appends
 * again, one version up, on top of what stands: then the last record is the one that all agree on.
 */
import type { Codec } from '../contracts/codec.ts';
import { nearest } from '../contracts/nearest.ts';
import { Invalid, Unavailable } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import type { ArmPrior, Experiment } from '../core/experiment.ts';
import {
  deletedDefinition,
  nextDefinition,
  promotedDefinition,
  restated,
  warmStarted,
} from '../core/experiment-change.ts';
import type { ValueSource } from './compacted-view.ts';
import { ExperimentsView } from './experiments-view.ts';
import { partitionOf } from './log/partitioner.ts';
import type { Log, LogRecord, TopicPartition } from './log/port.ts';
import { readToEnd, startOf } from './log/read-to-end.ts';

export interface ExperimentStoreOptions {
  readonly log: Log;
  readonly topic: string;
  readonly codec: Codec<Experiment>;
  /** A record that cannot be read; readers go on with what was there before. */
  onRefused(error: Invalid, record: ValueSource): void;
}

export interface Applied {
  /** `undefined` when there was none. */
  readonly before: Experiment | undefined;
  /** What stands now. */
  readonly after: Experiment;
  /** False when it was as wanted already; nothing was written then. */
  readonly changed: boolean;
}

export interface Definitions {
  readonly newest: ReadonlyMap<ExperimentId, Experiment>;
  /** Those that took effect and that compaction has left, in the order of their records. */
  readonly versions: readonly Experiment[];
}

interface Read extends Definitions {
  /** Where each of `versions` was read. */
  readonly places: readonly (TopicPartition & { readonly offset: number })[];
}

type Proposal = (standing: Experiment | undefined) => Experiment | null;

const TRIES_MAX = 5;

export class ExperimentStore {
  private readonly options: ExperimentStoreOptions;

  constructor(options: ExperimentStoreOptions) {
    this.options = options;
  }

  /** @throws Invalid `unknown-topic`; Unavailable. */
  async read(): Promise<Definitions> {
    return this.readAll();
  }

  /**
   * Makes the definition what is wanted, see `nextDefinition`.
   * @throws Invalid `experiment-change`, or when the definition breaks the contract; Unavailable when it may or may not
   * have been written: applying it again tells.
   */
  async apply(wanted: Experiment): Promise<Applied> {
    const { codec } = this.options;
    // Once through the contract, so that both sides of a comparison are what a reader would see.
    const normal = codec.decode(codec.encode(wanted));
    return this.change(wanted.id, (standing) => nextDefinition(standing, normal));
  }

  /** @throws Invalid `experiment-unknown`; Unavailable as `apply` does. */
  async delete(id: ExperimentId): Promise<Applied> {
    return this.changeKnown(id, deletedDefinition);
  }

  /** @param priorFor makes the prior for the definition that stands. @throws as `delete` and `priorFor` do. */
  async warmStart(id: ExperimentId, priorFor: (standing: Experiment) => readonly ArmPrior[]): Promise<Applied> {
    return this.changeKnown(id, (standing) => warmStarted(standing, priorFor(standing)));
  }

  /** @throws as `delete`; Invalid `promotion-overtaken`. */
  async promote(promoted: Experiment): Promise<Applied> {
    return this.changeKnown(promoted.id, (standing) => promotedDefinition(standing, promoted));
  }

  private async changeKnown(id: ExperimentId, propose: (standing: Experiment) => Experiment | null): Promise<Applied> {
    const { newest } = await this.readAll();
    if (!newest.has(id)) throw unknownExperiment(id, [...newest.keys()]);
    return this.change(id, (standing) => (standing === undefined ? null : propose(standing)));
  }

  private async change(id: ExperimentId, propose: Proposal): Promise<Applied> {
    let { newest } = await this.readAll();
    const before = newest.get(id);
    for (let tries = 1, overtaken = false; tries <= TRIES_MAX; tries++, overtaken = true) {
      const standing = newest.get(id);
      const next = await this.propose(propose, standing, overtaken);
      if (next === null) return { before, after: standing!, changed: false };
      const place = await this.append(next);
      const read = await this.readAll();
      const at = read.places.findIndex((one) => one.partition === place.partition && one.offset === place.offset);
      if (at >= 0) return { before, after: read.versions[at]!, changed: true };
      newest = read.newest;
    }
    throw new Unavailable('experiment-contended', `experiment ${id}: others changed it ${TRIES_MAX} times meanwhile`);
  }

  /** @param overtaken our last record must not stay the last of its key. */
  private async propose(
    propose: Proposal,
    standing: Experiment | undefined,
    overtaken: boolean,
  ): Promise<Experiment | null> {
    if (!overtaken || standing === undefined) return propose(standing);
    try {
      return propose(standing) ?? restated(standing);
    } catch (error) {
      await this.append(restated(standing));
      throw error;
    }
  }

  private async append(experiment: Experiment): Promise<TopicPartition & { readonly offset: number }> {
    const { log, topic, codec } = this.options;
    const { length: partitions } = await log.admin.offsets(topic);
    const partition = partitionOf(experiment.id, partitions);
    const writer = log.writer();
    try {
      const records = [{ key: experiment.id, value: codec.encode(experiment) }];
      return { topic, partition, offset: await writer.append({ topic, partition }, records) };
    } finally {
      await writer.close();
    }
  }

  private async readAll(): Promise<Read> {
    const { log, topic, codec, onRefused } = this.options;
    const versions: Experiment[] = [];
    const places: (TopicPartition & { readonly offset: number })[] = [];
    // What a definition's record means is the view's to say; here it is only not followed.
    const view = new ExperimentsView({
      log,
      topic,
      codec,
      onDefined: (experiment) => versions.push(experiment),
      onRefused,
      onUnavailable: () => {},
    });
    for await (const { partition, records } of readToEnd(log, await startOf(log, topic))) {
      for (const record of records) {
        await view.accept([record]);
        if (versions.length > places.length) places.push(placeOf(record, topic, partition));
      }
    }
    return { newest: view.experiments, versions, places };
  }
}

function placeOf({ offset }: LogRecord, topic: string, partition: number): TopicPartition & { offset: number } {
  return { topic, partition, offset };
}

/** @param advice where no known one has a name like it. */
export function unknownExperiment(
  id: string,
  known: readonly string[],
  advice = '`croupier experiments list` shows all',
): Invalid {
  const guess = nearest(id, known);
  const hint = guess === null ? advice : `did you mean ${guess}?`;
  return new Invalid('experiment-unknown', `there is no experiment ${id}; ${hint}`);
}
