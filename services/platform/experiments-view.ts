/**
 * The experiments that are defined, held in memory and kept up to date from the `experiments` topic.
 * Owns the newest definition of each; a definition that cannot be read is reported and the last good one stays.
 */
import type { Codec } from '../contracts/codec.ts';
import { Invalid, type Unavailable } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import { TopicFollower } from './log/follower.ts';
import type { Log, LogRecord } from './log/port.ts';

export interface ExperimentsViewOptions {
  readonly log: Log;
  readonly topic: string;
  readonly codec: Codec<Experiment>;
  /** Called after a newer definition has taken effect, with what it was read from. */
  onDefined?(experiment: Experiment, source: DefinitionSource): void;
  onRefused(error: Invalid, record: DefinitionSource): void;
  onUnavailable(error: Unavailable): void;
  /** Called when following ended for good: definitions stay as they are. */
  onFailed?(error: unknown): void;
}

export type DefinitionSource = Pick<LogRecord, 'key' | 'value' | 'appendTimeMs'>;

export class ExperimentsView {
  readonly experiments: ReadonlyMap<ExperimentId, Experiment>;
  private readonly defined = new Map<ExperimentId, Experiment>();
  private readonly options: ExperimentsViewOptions;
  private readonly follower: TopicFollower;

  constructor(options: ExperimentsViewOptions) {
    this.options = options;
    this.experiments = this.defined;
    this.follower = new TopicFollower({
      log: options.log,
      topic: options.topic,
      onBatch: ({ records }) => this.accept(records),
      onUnavailable: (error) => options.onUnavailable(error),
      onFailed: (error) => options.onFailed?.(error),
    });
  }

  /** Resolves when every definition that is there has been read; harmless to repeat after Unavailable. */
  async start(): Promise<void> {
    await this.follower.start();
    await this.follower.catchUp();
  }

  /** Resolves when every definition that is there now has been read. */
  async catchUp(): Promise<void> {
    await this.follower.catchUp();
  }

  /** Whether that version of the definition, or a later one, has been read. */
  knows(experimentId: ExperimentId, version: number): boolean {
    const known = this.defined.get(experimentId);
    return known !== undefined && known.version >= version;
  }

  async stop(): Promise<void> {
    await this.follower.stop();
  }

  /** Takes definitions from elsewhere, such as a mirror of the topic, as if they had been read; only newer ones count. */
  async accept(records: readonly DefinitionSource[]): Promise<void> {
    await this.options.codec.prepare(records.map(({ value }) => value));
    for (const record of records) {
      if (record.value === null) continue;
      try {
        this.define(this.options.codec.decode(record.value), record);
      } catch (error) {
        if (!(error instanceof Invalid)) throw error;
        this.options.onRefused(error, record);
      }
    }
  }

  /** @param written as it stands in the record: its own append time is not in it yet. */
  private define(written: Experiment, source: DefinitionSource): void {
    const experiment = { ...written, appliedAtMs: [...written.appliedAtMs, source.appendTimeMs] };
    if (experiment.appliedAtMs.length !== experiment.version) {
      throw new Invalid(
        'contradictory',
        `experiment ${experiment.id}: version ${experiment.version} with ${written.appliedAtMs.length} earlier versions`,
      );
    }
    const known = this.defined.get(experiment.id);
    if (known !== undefined && known.version >= experiment.version) return;
    this.defined.set(experiment.id, experiment);
    this.options.onDefined?.(experiment, source);
  }
}
