/**
 * What each experiment is served from: its definition and the newest snapshot that fits it, made ready here, off the
 * request path, and swapped in whole. A snapshot that cannot be served is reported, and the last good one stays.
 */
import { PendingExposures } from '../core/deciding/pending-exposures.ts';
import { type ServedExperiment, serve } from '../core/deciding/served.ts';
import { CroupierError } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import type { HeldSnapshot } from '../platform/snapshots-view.ts';
import { armMeans } from './statistics.ts';

export interface Served {
  readonly deciding: ServedExperiment;
  /** The same definition without a snapshot: deals the fallback arm. */
  readonly fallback: ServedExperiment;
  /** What `deciding` was made from; `null` when there is none. */
  readonly held: HeldSnapshot | null;
  /** Of its snapshot; see `armMeans`. */
  readonly means: Float64Array;
  /** Of this experiment, whatever it is served from; `null` when it counts none. */
  readonly pending: PendingExposures | null;
}

export class ServedExperiments {
  private readonly definitions = new Map<ExperimentId, Experiment>();
  private readonly snapshots = new Map<ExperimentId, HeldSnapshot>();
  private readonly served = new Map<ExperimentId, Served>();
  private readonly onRefused: (experimentId: ExperimentId, error: CroupierError) => void;

  constructor(onRefused: (experimentId: ExperimentId, error: CroupierError) => void) {
    this.onRefused = onRefused;
  }

  find(experimentId: string): Served | undefined {
    return this.served.get(experimentId as ExperimentId);
  }

  all(): Iterable<Served> {
    return this.served.values();
  }

  /** A new definition, or a newer version of one. */
  define(experiment: Experiment): void {
    this.definitions.set(experiment.id, experiment);
    this.rebuild(experiment.id);
  }

  /** A newer snapshot; it may come before its definition. */
  hold(held: HeldSnapshot): void {
    this.snapshots.set(held.snapshot.experimentId, held);
    this.rebuild(held.snapshot.experimentId);
  }

  private rebuild(experimentId: ExperimentId): void {
    const experiment = this.definitions.get(experimentId);
    if (experiment === undefined) return;
    const fallback = serve(experiment, null);
    const before = this.served.get(experimentId);
    const lastGood = before?.held;
    const pending = experiment.pendingExposure ? (before?.pending ?? new PendingExposures()) : null;
    for (const held of new Set([this.snapshots.get(experimentId), lastGood])) {
      if (held === undefined || held === null) continue;
      try {
        const deciding = serve(experiment, held.snapshot);
        pending?.countInto(deciding, held.snapshot);
        this.served.set(experimentId, {
          deciding,
          fallback,
          held,
          means: armMeans(experiment, held.snapshot),
          pending,
        });
        return;
      } catch (error) {
        // Corrupt: it contradicts the definition. Invalid: a later version's policy, which this one does not know.
        if (!(error instanceof CroupierError)) throw error;
        this.onRefused(experimentId, error);
      }
    }
    this.served.set(experimentId, {
      deciding: fallback,
      fallback,
      held: null,
      means: armMeans(experiment, null),
      pending,
    });
  }
}
