/** Whether the decider can serve, from what, and how old that is: the answer of GET /ready. */
import type { Served } from './served-experiments.ts';
import type { StateOrigin } from './state-keeper.ts';

export interface Readiness {
  readonly status: 'ready' | 'not-ready' | 'stopping';
  readonly ready: boolean;
  /** Where what is served was read from. */
  readonly origin: StateOrigin;
  readonly why: string;
  /** `null` before any has been read: none would be another thing. */
  readonly experiments: number | null;
  /** Experiments that have no snapshot: they deal their fallback arm. `null` before any has been read. */
  readonly withoutSnapshot: number | null;
  /** Of the snapshot that was appended first; `null` when there is none. */
  readonly oldestSnapshotAgeMs: number | null;
}

const WHY: Readonly<Record<StateOrigin, string>> = {
  none: 'definitions and snapshots have not been read yet, neither from the log nor from a mirror',
  mirror: 'the log does not answer; serving the last good definitions and snapshots from a mirror',
  log: 'definitions and snapshots have been read from the log',
};

export function readinessOf(state: {
  readonly origin: StateOrigin;
  readonly stopping: boolean;
  readonly served: Iterable<Served>;
  readonly nowMs: number;
}): Readiness {
  const active = [...state.served].filter(({ deciding }) => deciding.experiment.state === 'active');
  const appendTimesMs = active.flatMap(({ held }) => (held === null ? [] : [held.appendTimeMs]));
  const isRead = state.origin !== 'none';
  const ready = isRead && !state.stopping;
  return {
    status: state.stopping ? 'stopping' : ready ? 'ready' : 'not-ready',
    ready,
    origin: state.origin,
    why: state.stopping ? 'the decider is stopping' : WHY[state.origin],
    experiments: isRead ? active.length : null,
    withoutSnapshot: isRead ? active.length - appendTimesMs.length : null,
    oldestSnapshotAgeMs:
      appendTimesMs.length === 0 ? null : state.nowMs - appendTimesMs.reduce((a, b) => Math.min(a, b)),
  };
}
