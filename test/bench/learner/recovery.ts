/**
 * Recovery of a learner that has many decisions pending: killed without warning and begun again on its store, and begun on
 * an empty disk. Fills topics of its own, and removes them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LogReader } from '../../../services/platform/log/port.ts';
import { eventCount, type Shape } from './events.ts';
import { type Cluster, PARTITIONS, prepareInputs, removeInputs } from './inputs.ts';
import { Trial } from './trial.ts';

export interface Recovery {
  /** From the kill to the first new snapshot, less the session timeout after which the group gives partitions away. */
  readonly snapshotMs: number;
  /** While it learned what is pending for the first time, beginning with nothing. */
  readonly firstPerSecond: number;
  /** While it rebuilt its stores on an empty disk. */
  readonly rebuiltPerSecond: number;
}

/** The least that brokers allow by default. */
const SESSION_TIMEOUT_MS = 6_000;
const LOOK_MS = 50;

export interface RecoveryOptions {
  readonly variables: Readonly<Record<string, string>>;
  readonly threads: number;
}

export async function measureRecovery(cluster: Cluster, like: Shape, options: RecoveryOptions): Promise<Recovery> {
  const shape = { ...like, name: 'recovery' };
  await removeInputs(cluster, shape);
  try {
    await prepareInputs(cluster, shape, 'pending');
    const variables = { ...options.variables, CROUPIER_LEARNER_SESSION_TIMEOUT: `${SESSION_TIMEOUT_MS}ms` };
    const trial = await Trial.open(cluster, shape, variables);
    try {
      return await recover(cluster, shape, trial, options.threads);
    } finally {
      await trial.close();
    }
  } finally {
    await removeInputs(cluster, shape);
  }
}

async function recover(cluster: Cluster, shape: Shape, trial: Trial, threads: number): Promise<Recovery> {
  const first = trial.start({ threads, data: 'kept' });
  const { atMs: beganMs } = await first.opened;
  const learned = await Promise.race([trial.learned(shape.pending), first.stopped]);
  const firstPerSecond = (learned * 1_000) / (performance.now() - beganMs);
  await first.kill();
  const killedAtMs = performance.now();
  const snapshots = await fromNowOn(cluster, trial);
  const second = trial.start({ threads, data: 'kept' });
  // What it has to learn once it owns something; it takes as long to be given that as the session lasts.
  const filled = prepareInputs(cluster, shape, 'all');
  await Promise.race([nextOf(snapshots), second.stopped]);
  const snapshotMs = performance.now() - killedAtMs - SESSION_TIMEOUT_MS;
  await snapshots.close();
  await filled;
  await Promise.race([trial.learned(eventCount(shape)), second.stopped]);
  await second.stop();
  return { snapshotMs, firstPerSecond, rebuiltPerSecond: await rebuiltPerSecond(shape, trial, threads) };
}

async function rebuiltPerSecond(shape: Shape, trial: Trial, threads: number): Promise<number> {
  const learner = trial.start({ threads, data: 'empty' });
  const isRebuilt = (): boolean => {
    const owners = new Set(learner.openings.map(({ partition }) => partition));
    return learner.startedAtMs > 0 && owners.size === PARTITIONS;
  };
  while (!isRebuilt()) await Promise.race([delay(LOOK_MS), learner.stopped]);
  const wrong = learner.openings.find(({ from }) => from === 'log');
  if (wrong !== undefined) throw new Error(`partition ${wrong.partition} was not restored from its tallies`);
  const last = Math.max(...learner.openings.map(({ atMs }) => atMs));
  return (eventCount(shape) * 1_000) / (last - learner.startedAtMs);
}

/** @returns a reader of what is appended to the snapshots from now on. */
async function fromNowOn({ log }: Cluster, { topics }: Trial): Promise<LogReader> {
  const reader = log.reader();
  const ends = await log.admin.offsets(topics.snapshots);
  reader.assign(ends.map(({ end }, partition) => ({ topic: topics.snapshots, partition, offset: end })));
  return reader;
}

/** Resolves when a record with a value has come. */
async function nextOf(reader: LogReader): Promise<void> {
  for (;;) {
    const batches = await reader.poll({ maxRecords: 100, waitMsMax: 1_000 });
    if (batches.some(({ records }) => records.some(({ value }) => value !== null))) return;
  }
}
