/**
 * Reads and changes definitions on the `experiments` topic. Holds nothing between calls.
 *
 * The log has no compare-and-set. So whoever changes a definition is the sole writer of its partition meanwhile: who had
 * read it before can append no more, nor can what was sent and not answered arrive late. Each version is written once, and
 * what compaction keeps is what readers took.
 */
import type { Codec } from '../contracts/codec.ts';
import { nearest } from '../contracts/nearest.ts';
import { Invalid, Unavailable } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import type { ArmPrior, Experiment } from '../core/experiment.ts';
import { deletedDefinition, nextDefinition, promotedDefinition, warmStarted } from '../core/experiment-change.ts';
import type { ValueSource } from './compacted-view.ts';
import { type Definitions, readDefinitions } from './experiments-view.ts';
import { partitionCountOf } from './log/partition-count.ts';
import { partitionOf } from './log/partitioner.ts';
import type { Log } from './log/port.ts';
import { takeOver } from './log/sole-writer.ts';

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

/** @returns `null` when nothing is to change. */
type Proposal = (standing: Experiment | undefined, known: Definitions['newest']) => Experiment | null;

const TRIES_MAX = 5;

export class ExperimentStore {
  private readonly options: ExperimentStoreOptions;

  constructor(options: ExperimentStoreOptions) {
    this.options = options;
  }

  /** @throws Invalid `unknown-topic`; Unavailable. */
  read(): Promise<Definitions> {
    return readDefinitions(this.options);
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

  /**
   * @param prepare done before it stands, while nobody else can change the definition; not done when it stands already.
   * @throws as `delete` and `prepare`; Invalid `promotion-overtaken`.
   */
  async promote(promoted: Experiment, prepare: () => Promise<void>): Promise<Applied> {
    return this.changeKnown(promoted.id, (standing) => promotedDefinition(standing, promoted), prepare);
  }

  private changeKnown(
    id: ExperimentId,
    propose: (standing: Experiment) => Experiment | null,
    prepare?: () => Promise<void>,
  ): Promise<Applied> {
    const proposal: Proposal = (standing, known) => {
      if (standing === undefined) throw unknownExperiment(id, [...known.keys()]);
      return propose(standing);
    };
    return this.change(id, proposal, prepare);
  }

  private async change(id: ExperimentId, propose: Proposal, prepare?: () => Promise<void>): Promise<Applied> {
    const { newest } = await this.read();
    const standing = newest.get(id);
    if (propose(standing, newest) === null) return { before: standing, after: standing!, changed: false };
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      try {
        return await this.changeAlone(id, propose, prepare);
      } catch (error) {
        if (!(error instanceof Unavailable && error.code === 'overtaken')) throw error;
      }
    }
    throw new Unavailable('experiment-contended', `experiment ${id}: others changed it ${TRIES_MAX} times meanwhile`);
  }

  /** @throws Unavailable `overtaken` when somebody else changes a definition of the partition now. */
  private async changeAlone(id: ExperimentId, propose: Proposal, prepare?: () => Promise<void>): Promise<Applied> {
    const { log, topic, codec } = this.options;
    const to = { topic, partition: partitionOf(id, await partitionCountOf(log, topic)) };
    const writer = await takeOver(log, `${topic}/${to.partition}`, [to]);
    try {
      const { newest } = await this.read();
      const before = newest.get(id);
      const next = propose(before, newest);
      if (next === null) return { before, after: before!, changed: false };
      await prepare?.();
      await writer.append(to, [{ key: id, value: codec.encode(next) }]);
      const now = await this.read();
      const after = now.versions.find((one) => one.id === id && one.version === next.version);
      return { before, after: after ?? now.newest.get(id)!, changed: true };
    } finally {
      await writer.close();
    }
  }
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
