/**
 * One run of the learner over prepared inputs, from its first record to the publication that reflects the last.
 */
import { eventCount, type Shape } from './events.ts';
import type { Cluster } from './inputs.ts';
import type { LearnerProcess } from './learner-process.ts';
import type { Rate } from './rate.ts';
import { Trial } from './trial.ts';

export interface LearnerRun extends Rate {
  readonly rssBytes: number;
  /** Mean time of a commit of one partition. */
  readonly commitMs: number;
}

export interface RunOptions {
  readonly variables: Readonly<Record<string, string>>;
  /** A folder of stores to go on from; a copy is used. */
  readonly stores?: string;
  /** Where to leave the stores. */
  readonly keepStores?: string;
  /** Of each process. */
  readonly threads: number;
  /** How many processes share the partitions. */
  readonly processes?: number;
  readonly nodeArgs?: readonly string[];
  /** Measure until so many events have been learned, of all that are in the inputs. */
  readonly until?: number;
}

export async function measureLearner(cluster: Cluster, shape: Shape, options: RunOptions): Promise<LearnerRun> {
  const { stores, keepStores, threads, processes, nodeArgs, until } = options;
  const trial = await Trial.open(cluster, shape, options.variables);
  try {
    const names = Array.from({ length: processes ?? 1 }, (_, index) => String(index));
    if (stores !== undefined) for (const data of names) await trial.bring(stores, data);
    const learners = names.map((data) => trial.start({ threads, data, nodeArgs: nodeArgs ?? [] }));
    const before = await Promise.all(learners.map((learner) => learner.opened));
    const learned = await Promise.race([
      trial.learned(until ?? eventCount(shape)),
      ...learners.map((learner) => learner.stopped),
    ]);
    const after = await Promise.all(learners.map((learner) => learner.usage()));
    const events = learned - reflectedBefore(learners);
    const beganMs = Math.min(...before.map(({ atMs }) => atMs));
    const cpuUs = after.reduce((all, { cpuUs: used }, at) => all + used - before[at]!.cpuUs, 0);
    const run = {
      events,
      eventsPerSecond: (events * 1_000) / (after[0]!.atMs - beganMs),
      cpuUsPerEvent: cpuUs / events,
      rssBytes: after.reduce((all, { rssBytes }) => all + rssBytes, 0),
      commitMs: Math.max(...(await Promise.all(learners.map((learner) => learner.commitMs())))),
    };
    await trial.stopLearners();
    if (keepStores !== undefined) await trial.keep('0', keepStores);
    return run;
  } finally {
    await trial.close();
  }
}

/** @returns the events that each partition reflected when it was opened for the first time. */
function reflectedBefore(learners: readonly LearnerProcess[]): number {
  const openings = learners.flatMap((learner) => learner.openings).sort((a, b) => b.atMs - a.atMs);
  const first = new Map(openings.map(({ partition, reflected }) => [partition, reflected]));
  return [...first.values()].reduce((sum, reflected) => sum + reflected, 0);
}
