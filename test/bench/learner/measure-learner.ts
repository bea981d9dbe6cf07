/**
 * One run of the learner over prepared inputs, from its first record to the publication that reflects the last.
 */
import { eventCount, type Shape } from './events.ts';
import type { Cluster } from './inputs.ts';
import type { CommitTimes, Usage } from './learner-process.ts';
import type { Rate } from './rate.ts';
import { Trial } from './trial.ts';

export interface LearnerRun extends Rate {
  readonly rssBytes: number;
  /** Mean time of a commit of one partition. */
  readonly commitMs: number;
}

export interface RunOptions {
  readonly variables: Readonly<Record<string, string>>;
  /** Of each process. */
  readonly threads: number;
  /** How many processes share the partitions. */
  readonly processes?: number;
  readonly nodeArgs?: readonly string[];
}

interface State {
  readonly learned: number;
  readonly usages: readonly Usage[];
  readonly commits: readonly CommitTimes[];
}

/** Only the live events are timed, in the process that learned those pending, as the peer does it. */
export async function measureLearner(cluster: Cluster, shape: Shape, options: RunOptions): Promise<LearnerRun> {
  const { threads, processes, nodeArgs } = options;
  const trial = await Trial.open(cluster, shape, options.variables);
  try {
    const learners = Array.from({ length: processes ?? 1 }, (_, index) =>
      trial.start({ threads, data: String(index), nodeArgs: nodeArgs ?? [] }),
    );
    const stopped = Promise.race(learners.map((learner) => learner.stopped));
    const stateAt = async (events: number): Promise<State> => {
      const learned = await Promise.race([trial.learned(events), stopped]);
      const usages = await Promise.all(learners.map((learner) => learner.usage()));
      return { learned, usages, commits: await Promise.all(learners.map((learner) => learner.commitTimes())) };
    };
    const opened = await Promise.all(learners.map((learner) => learner.opened));
    const before =
      shape.pending === 0
        ? { learned: 0, usages: opened, commits: learners.map(() => ({ seconds: 0, count: 0 })) }
        : await stateAt(shape.pending);
    const after = await stateAt(eventCount(shape));
    const events = after.learned - before.learned;
    const beganMs = Math.min(...before.usages.map(({ atMs }) => atMs));
    const cpuUs = after.usages.reduce((all, { cpuUs: used }, at) => all + used - before.usages[at]!.cpuUs, 0);
    return {
      events,
      eventsPerSecond: (events * 1_000) / (after.usages[0]!.atMs - beganMs),
      cpuUsPerEvent: cpuUs / events,
      rssBytes: after.usages.reduce((all, { rssBytes }) => all + rssBytes, 0),
      commitMs: Math.max(...after.commits.map((one, at) => meanMs(before.commits[at]!, one))),
    };
  } finally {
    await trial.close();
  }
}

function meanMs(before: CommitTimes, after: CommitTimes): number {
  return ((after.seconds - before.seconds) * 1_000) / (after.count - before.count);
}
