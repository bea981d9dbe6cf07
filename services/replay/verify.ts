/**
 * Holds a replay against the live snapshots: the same digest, or why not.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import type { ExperimentId } from '../core/events.ts';
import type { Log } from '../platform/log/port.ts';
import { startOf } from '../platform/log/read-to-end.ts';
import { readWholes } from '../platform/log/read-wholes.ts';
import type { LiveSnapshot, LiveSnapshots } from './plan.ts';
import type { Snapshots } from './replay.ts';

/** `redefined`: the definition has changed since the live snapshot was built, and its digest with it. */
export type Verdict = 'same' | 'differs' | 'redefined' | 'no live snapshot' | 'not comparable';

export interface Verified {
  readonly experimentId: ExperimentId;
  readonly version: number;
  readonly digest: string;
  readonly liveDigest: string | null;
  readonly verdict: Verdict;
}

/** @returns the newest snapshot of each experiment that the topic holds. */
export async function liveSnapshots(log: Log, topics: TopicNames, codecs: Codecs): Promise<Snapshots> {
  const newest = new Map<ExperimentId, ParametersSnapshot>();
  for await (const { records } of readWholes(log, await startOf(log, topics.snapshots))) {
    await codecs.snapshot.prepare(records.map(({ value }) => value));
    for (const { value } of records) {
      if (value === null) continue;
      const snapshot = codecs.snapshot.decode(value);
      const known = newest.get(snapshot.experimentId);
      if (known === undefined || snapshot.version >= known.version) newest.set(snapshot.experimentId, snapshot);
    }
  }
  return newest;
}

/** @param fromStart whether the replay saw the whole of the inputs; a part of them has a digest of its own. */
export function verify(replayed: Snapshots, live: LiveSnapshots, fromStart: boolean): Verified[] {
  return [...replayed.values()].map((snapshot) => {
    const { experimentId, version, digest } = snapshot;
    const lived = live.get(experimentId);
    const verdict = fromStart ? verdictOf(snapshot, lived) : 'not comparable';
    return { experimentId, version, digest, liveDigest: lived?.digest ?? null, verdict };
  });
}

function verdictOf(replayed: ParametersSnapshot, live: LiveSnapshot | undefined): Verdict {
  if (live === undefined) return 'no live snapshot';
  if (live.digest === replayed.digest) return 'same';
  return live.experimentVersion === replayed.experimentVersion ? 'differs' : 'redefined';
}
