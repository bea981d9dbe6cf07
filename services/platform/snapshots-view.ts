/**
 * The newest snapshot of each experiment, held in memory and kept up to date from the `snapshots` topic.
 * Never goes back to an older one; one that cannot be read is reported and the last good one stays.
 * Not here: what decides from it.
 */
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import type { ExperimentId } from '../core/events.ts';
import { CompactedView, type CompactedViewOptions, type ValueSource } from './compacted-view.ts';

export interface SnapshotsViewOptions extends CompactedViewOptions<ParametersSnapshot> {
  /** Called after a newer snapshot has taken effect, with what it was read from. */
  onSnapshot?(held: HeldSnapshot, source: ValueSource): void;
}

export interface HeldSnapshot {
  readonly snapshot: ParametersSnapshot;
  /** When the log appended it: its age is counted from here. */
  readonly appendTimeMs: number;
}

export class SnapshotsView extends CompactedView<ParametersSnapshot> {
  readonly snapshots: ReadonlyMap<ExperimentId, HeldSnapshot>;
  private readonly held = new Map<ExperimentId, HeldSnapshot>();
  private readonly options: SnapshotsViewOptions;

  constructor(options: SnapshotsViewOptions) {
    super(options);
    this.options = options;
    this.snapshots = this.held;
  }

  protected take(snapshot: ParametersSnapshot, source: ValueSource): void {
    const { experimentId } = snapshot;
    const known = this.held.get(experimentId);
    if (known !== undefined && isOlder(snapshot, known.snapshot)) return;
    const held = { snapshot, appendTimeMs: source.appendTimeMs };
    this.held.set(experimentId, held);
    this.options.onSnapshot?.(held, source);
  }
}

type SnapshotRank = Pick<ParametersSnapshot, 'version' | 'experimentVersion'>;

/** Of two that reflect the same events under the same definition neither is older: the one read later stands. */
export function isOlder(a: SnapshotRank, b: SnapshotRank): boolean {
  return a.version < b.version || (a.version === b.version && a.experimentVersion < b.experimentVersion);
}
