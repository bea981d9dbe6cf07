/**
 * The experiments that are defined, held in memory and kept up to date from the `experiments` topic.
 * Owns the newest definition of each; a definition that cannot be read is reported and the last good one stays.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { Invalid, rethrow } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import { CompactedView, type CompactedViewOptions, type ValueSource } from './compacted-view.ts';
import type { Log } from './log/port.ts';
import { startOf } from './log/read-to-end.ts';
import { readWholes } from './log/read-wholes.ts';

export interface ExperimentsViewOptions extends CompactedViewOptions<Experiment> {
  /** Called after a newer definition has taken effect, with what it was read from. */
  onDefined?(experiment: Experiment, source: ValueSource): void;
}

export class ExperimentsView extends CompactedView<Experiment> {
  readonly experiments: ReadonlyMap<ExperimentId, Experiment>;
  private readonly defined = new Map<ExperimentId, Experiment>();
  private readonly options: ExperimentsViewOptions;
  /** The same, but another map after each promotion: who learns by one map learns one set of lines, however long it takes. */
  lineUp: ReadonlyMap<ExperimentId, Experiment>;
  private ofLineUp = new Map<ExperimentId, Experiment>();

  constructor(options: ExperimentsViewOptions) {
    super(options);
    this.options = options;
    this.experiments = this.defined;
    this.lineUp = this.ofLineUp;
  }

  /** Whether that version of the definition, or a later one, has been read. */
  knows(experimentId: ExperimentId, version: number): boolean {
    const known = this.defined.get(experimentId);
    return known !== undefined && known.version >= version;
  }

  /** @param written as it stands in the record: its own append time is not in it yet. */
  protected take(written: Experiment, source: ValueSource): void {
    const experiment = { ...written, appliedAtMs: [...written.appliedAtMs, source.appendTimeMs] };
    if (experiment.appliedAtMs.length !== experiment.version) {
      throw new Invalid(
        'contradictory',
        `experiment ${experiment.id}: version ${experiment.version} with ${written.appliedAtMs.length} earlier versions`,
      );
    }
    const known = this.defined.get(experiment.id);
    if (known !== undefined && known.version >= experiment.version) return;
    if (known?.promotion?.label !== experiment.promotion?.label) {
      this.ofLineUp = new Map(this.ofLineUp);
      this.lineUp = this.ofLineUp;
    }
    this.ofLineUp.set(experiment.id, experiment);
    this.defined.set(experiment.id, experiment);
    this.options.onDefined?.(experiment, source);
  }
}

export interface Definitions {
  readonly newest: ReadonlyMap<ExperimentId, Experiment>;
  /** Those that took effect and that compaction has left, in the order of their records. */
  readonly versions: readonly Experiment[];
}

/** @returns what is defined now. @throws Invalid `unknown-topic`, or what `onRefused` throws; Unavailable. */
export async function readDefinitions(
  source: Pick<ExperimentsViewOptions, 'log' | 'topic' | 'codec' | 'onRefused'>,
): Promise<Definitions> {
  const versions: Experiment[] = [];
  // What a definition's record means is the view's to say; here it is only not followed.
  const view = new ExperimentsView({
    ...source,
    onDefined: (experiment) => versions.push(experiment),
    onUnavailable: rethrow,
  });
  const from = await startOf(source.log, source.topic);
  for await (const { records } of readWholes(source.log, from)) await view.accept(records);
  return { newest: view.experiments, versions };
}

/** @returns every definition as it stands. @throws Invalid when one cannot be read; Unavailable. */
export async function readExperiments(source: {
  readonly log: Log;
  readonly topics: Pick<TopicNames, 'experiments'>;
  readonly codecs: Pick<Codecs, 'experiment'>;
}): Promise<Definitions['newest']> {
  const { log, topics, codecs } = source;
  const read = { log, topic: topics.experiments, codec: codecs.experiment, onRefused: rethrow };
  return (await readDefinitions(read)).newest;
}
