/**
 * Keeps what the decider serves from in step with the log: definitions and snapshots from the compacted topics; from the
 * mirrors while the log is away at start. Mirrors in turn what it reads. Owns both views and says how things stand.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { type CroupierError, Unavailable } from '../core/errors.ts';
import type { Experiment } from '../core/experiment.ts';
import type { ValueSource } from '../platform/compacted-view.ts';
import { ExperimentsView } from '../platform/experiments-view.ts';
import { assertSameCount } from '../platform/log/partition-count.ts';
import type { Log } from '../platform/log/port.ts';
import type { MirroredRecord } from '../platform/mirror/mirrored-record.ts';
import type { Mirrors } from '../platform/mirror/mirrors.ts';
import type { SchemaMirror } from '../platform/mirror/schemas.ts';
import { type HeldSnapshot, SnapshotsView } from '../platform/snapshots-view.ts';
import type { ServedExperiments } from './served-experiments.ts';

const RETRY_DELAY_MS = 500;

export interface StateKeeperOptions {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Pick<Codecs, 'experiment' | 'snapshot'>;
  readonly served: ServedExperiments;
  readonly mirrors: Mirrors;
  readonly schemaMirror: SchemaMirror;
  /** How long the log may take at start before the mirrors are read. */
  readonly logWaitMs: number;
  readonly observer: StateKeeperObserver;
}

export interface StateKeeperObserver {
  unavailable(what: string, error: Unavailable): void;
  unusable(what: string, error: CroupierError): void;
  /** Reading ended for good: what is served would only grow old. */
  failed(error: unknown): void;
}

/** `none`: nothing has been read; `mirror`: last-good, the log has not answered yet; `log`: all that was there was read. */
export type StateOrigin = 'none' | 'mirror' | 'log';

export class StateKeeper {
  private readonly options: StateKeeperOptions;
  private readonly experiments: ExperimentsView;
  private readonly snapshots: SnapshotsView;
  /** What was read before all was: mirrored only then, so that no mirror goes back while the topics are read again. */
  private unmirrored: Map<string, MirroredRecord> | null = new Map();
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private from: StateOrigin = 'none';
  /** Of the topics that decisions and rewards go to; `null` until it is known. */
  private partitions: number | null = null;

  constructor(options: StateKeeperOptions) {
    this.options = options;
    const { log, topics, codecs, observer } = options;
    const shared = { log, onFailed: (error: unknown) => observer.failed(error) };
    this.experiments = new ExperimentsView({
      ...shared,
      topic: topics.experiments,
      codec: codecs.experiment,
      onDefined: (experiment, source) => this.defined(experiment, source),
      onRefused: (error) => observer.unusable('definition', error),
      onUnavailable: (error) => observer.unavailable('experiments', error),
    });
    this.snapshots = new SnapshotsView({
      ...shared,
      topic: topics.snapshots,
      codec: codecs.snapshot,
      onSnapshot: (held, source) => this.held(held, source),
      onRefused: (error) => observer.unusable('snapshot', error),
      onUnavailable: (error) => observer.unavailable('snapshots', error),
    });
  }

  get origin(): StateOrigin {
    return this.from;
  }

  /** Begins reading. @returns when all that is in the log now has been read; may take for ever, nothing need wait for it. */
  start(): Promise<void> {
    const caughtUp = this.readLog();
    this.running = Promise.all([caughtUp, this.readMirrorsUnless(caughtUp)]).then(
      () => {},
      (error: unknown) => {
        if (!this.stopping.signal.aborted) this.options.observer.failed(error);
      },
    );
    return caughtUp;
  }

  /** Resolves when all that is in the log now has been read. */
  async catchUp(): Promise<void> {
    await Promise.all([this.experiments.catchUp(), this.snapshots.catchUp()]);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.experiments.stop(), this.snapshots.stop()]);
    await this.running;
  }

  private async readLog(): Promise<void> {
    await this.untilAvailable('experiments', () => this.experiments.start());
    await this.untilAvailable('decisions', () => this.countPartitions());
    await this.untilAvailable('snapshots', () => this.snapshots.start());
    if (this.stopping.signal.aborted) return;
    this.from = 'log';
    const read = this.unmirrored;
    this.unmirrored = null;
    for (const record of read?.values() ?? []) this.options.mirrors.offer(record);
  }

  /** @throws Corrupt when one of the two has been given more than the other. */
  private async countPartitions(): Promise<void> {
    const { log, topics } = this.options;
    const rewards = await log.admin.partitionCount(topics.rewards);
    this.partitions = await log.admin.partitionCount(topics.decisions);
    if (this.partitions === null || rewards === null) return;
    assertSameCount(topics.decisions, this.partitions, { what: topics.rewards, count: rewards });
  }

  private async untilAvailable(what: string, attempt: () => Promise<void>): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        this.options.observer.unavailable(what, error);
        await this.pause(RETRY_DELAY_MS);
      }
    }
  }

  private async readMirrorsUnless(caughtUp: Promise<void>): Promise<void> {
    await Promise.race([caughtUp, this.pause(this.options.logWaitMs)]);
    if (this.from === 'log' || this.stopping.signal.aborted) return;
    await this.readMirror('experiments', this.experiments);
    await this.readMirror('snapshots', this.snapshots);
    // Meanwhile the log may have answered after all.
    if (this.origin === 'none' && this.experiments.experiments.size > 0) this.from = 'mirror';
  }

  private async readMirror(
    kind: 'experiments' | 'snapshots',
    view: { accept(records: readonly ValueSource[]): Promise<void> },
  ): Promise<void> {
    for (const record of await this.options.mirrors.load(kind)) {
      try {
        await view.accept([record]);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        // Its schema is not among the mirrored ones: the others may serve meanwhile.
        this.options.observer.unavailable(`mirrored ${kind}`, error);
      }
    }
  }

  private defined(experiment: Experiment, source: ValueSource): void {
    this.options.served.define(experiment);
    this.mirror(source, { kind: 'experiments', key: experiment.id, rank: [experiment.version, 0] });
  }

  private held(held: HeldSnapshot, source: ValueSource): void {
    const { experimentId, version, experimentVersion, offsets } = held.snapshot;
    if (this.partitions !== null && offsets.length > 0) {
      const kept = { what: `the snapshot of ${experimentId}`, count: offsets.length };
      assertSameCount(this.options.topics.decisions, this.partitions, kept);
    }
    this.options.served.hold(held);
    this.mirror(source, { kind: 'snapshots', key: experimentId, rank: [version, experimentVersion] });
  }

  private mirror({ value, appendTimeMs }: ValueSource, name: Pick<MirroredRecord, 'kind' | 'key' | 'rank'>): void {
    if (value === null) return;
    const { topics, schemaMirror, mirrors } = this.options;
    schemaMirror.keepSchemaOf(name.kind === 'experiments' ? topics.experiments : topics.snapshots, value);
    const record = { ...name, appendTimeMs, value };
    if (this.unmirrored === null) mirrors.offer(record);
    else this.unmirrored.set(`${name.kind}/${name.key}`, record);
  }

  private async pause(waitMs: number): Promise<void> {
    // Only stopping ends the wait early.
    await delay(waitMs, undefined, { signal: this.stopping.signal }).catch(() => {});
  }
}
