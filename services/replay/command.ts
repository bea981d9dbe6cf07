/**
 * One run of `croupier replay`: settles what is replayed or goes on with what was settled, learns it, compares, writes where it
 * was told to. Owns the state folder while it runs.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import type { Counts } from '../core/learning/counts.ts';
import { readExperiments } from '../platform/experiments-view.ts';
import { joinLimits } from '../platform/join/limits-config.ts';
import type { Log } from '../platform/log/port.ts';
import { isAllFromOffsets, readProgress } from '../platform/partition-progress.ts';
import type { Progress } from '../platform/progress.ts';
import type { ReplayValues } from './config.ts';
import { prepareNamespace, writeReplayed } from './into.ts';
import type { PartitionProgress, PartitionReplayed } from './partition.ts';
import { type LiveSnapshots, planReplay, type ReplayPlan, type ReplaySource } from './plan.ts';
import { type Replayed, runReplay } from './replay.ts';
import { parsePosition, spanOf } from './span.ts';
import { openState } from './state.ts';
import { liveSnapshots, type Verified, verify } from './verify.ts';

/** What the command needs of the world. */
export interface ReplayPorts {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  /** Of the namespace that is written to; `null` when nothing is. */
  readonly into: TopicNames | null;
  /** Of those topics, once they are there. */
  intoCodecs(): Promise<Codecs>;
  /** How many partitions are learned at once. */
  readonly parallel: number;
  learners(plan: ReplayPlan, storeFolder: (partition: number) => string): PartitionLearners;
  startProgress(total: number): Progress;
  /** Something that a user should know. */
  tell(line: string): void;
}

export interface PartitionLearners {
  replayOne(partition: number, onProgress: (progress: PartitionProgress) => void): Promise<PartitionReplayed>;
  close(): Promise<void>;
}

/** Settled once, and kept until the replay is done. */
interface Settled {
  readonly plan: ReplayPlan;
  readonly live: LiveSnapshots;
  readonly allRetained: boolean;
  readonly comparable: boolean;
}

export interface Outcome {
  readonly verified: readonly Verified[];
  readonly counts: Counts;
  /** Learned in this run. */
  readonly events: number;
  /** Learned in earlier runs of the same replay. */
  readonly resumed: number;
  readonly seconds: number;
}

export async function runCommand(values: ReplayValues, ports: ReplayPorts, restart: boolean): Promise<Outcome> {
  const { prefix, namespace, from, to, into, brokers } = values;
  const asked = [brokers, prefix, namespace, from, to, into, joinLimits(values)];
  const state = await openState(values.data, { asked, restart }, () => settle(values, ports));
  const { plan, live, allRetained, comparable } = state.plan;
  if (state.resumed) ports.tell(`goes on with what was begun in ${values.data}; --restart would begin anew`);
  const startedMs = performance.now();
  let done = false;
  try {
    const { replayed, events, resumed } = await replayOverThreads(ports, plan, state.storeFolder);
    if (ports.into !== null) {
      const target = { log: ports.log, topics: ports.into, codecs: await ports.intoCodecs() };
      await writeReplayed(target, { plan, allRetained }, replayed);
    }
    done = true;
    return {
      verified: verify(replayed.snapshots, live, comparable),
      counts: replayed.counts,
      events,
      resumed,
      seconds: (performance.now() - startedMs) / 1_000,
    };
  } finally {
    await state.close({ done });
  }
}

/** Shows how far it is. @returns what was learned, with how many events in this run and in earlier ones. */
export async function replayOverThreads(
  ports: Pick<ReplayPorts, 'codecs' | 'parallel' | 'learners' | 'startProgress'>,
  plan: ReplayPlan,
  storeFolder: (partition: number) => string,
): Promise<{ readonly replayed: Replayed; readonly events: number; readonly resumed: number }> {
  const learners = ports.learners(plan, storeFolder);
  const shown: { progress?: Progress } = {};
  let counted = { events: 0, resumed: 0 };
  try {
    const replayed = await runReplay(plan, {
      parallel: ports.parallel,
      tallyCodec: ports.codecs.tally,
      replayOne: (partition, onProgress) => learners.replayOne(partition, onProgress),
      onProgress(done, total, resumed) {
        shown.progress ??= ports.startProgress(total);
        shown.progress.update(done, resumed);
        counted = { events: done - resumed, resumed };
      },
    });
    return { replayed, ...counted };
  } finally {
    shown.progress?.stop();
    await learners.close();
  }
}

/** Proves each live snapshot at what it reflects, unless another end was asked for or there is something to write. */
async function settle(values: ReplayValues, ports: ReplayPorts): Promise<Settled> {
  const source: ReplaySource = ports;
  const from = values.from === null ? null : parsePosition('--from', values.from);
  const to = values.to === null ? null : parsePosition('--to', values.to);
  if (ports.into !== null) await prepareNamespace(ports.log, ports.into);
  // Before the log's ends: what a snapshot reflects must lie before them.
  const live = await liveSnapshots(ports.log, ports.topics, ports.codecs);
  const span = await spanOf(ports.log, ports.topics, { from, to });
  // What another generation of topics was begun with is in its tallies alone.
  const isAllThere = isAllFromOffsets(await readProgress(ports.log, ports.topics.tallies, ports.codecs.tally));
  const comparable = span.fromStart && isAllThere && to === null && ports.into === null;
  const standing = new Map(
    [...live].map(([id, { experimentVersion, version, digest, offsets }]) => [
      id,
      { experimentVersion, version, digest, offsets },
    ]),
  );
  const experiments = await readExperiments(source);
  const plan = planReplay(span, experiments, joinLimits(values), comparable ? standing : new Map());
  return { plan, live: standing, allRetained: span.allRetained, comparable };
}
