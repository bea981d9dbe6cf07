/**
 * What experiments cost that rest: 2,000 in one learner, all of which have learned something, 10 of which go on. Counts of
 * work, which do not depend on the machine, and memory.
 */
import { startProgress } from '../../services/platform/progress.ts';
import { ManyExperiments } from '../support/many-experiments.ts';
import { type Bar, bar } from './bars.ts';

const EXPERIMENTS = 2_000;
const ACTIVE = 10;
const ROUNDS = 50;
/** What an experiment of two arms and one cohort may keep of the heap: its definition, tally, sums and books. */
const IDLE_BYTES_MAX = 32_768;

export async function experimentBars(): Promise<readonly Bar[]> {
  const progress = startProgress({ label: 'rounds', total: ROUNDS, unit: 'rounds', to: process.stderr });
  const few = await ManyExperiments.create(ACTIVE);
  const fewBytes = heapBytes();
  const many = await ManyExperiments.create(EXPERIMENTS);
  // With its records on the embedded log, which are in memory too: an upper bound.
  const idleBytes = (heapBytes() - fewBytes) / EXPERIMENTS;
  many.start();
  const active = Array.from({ length: ACTIVE }, (_, index) => index);
  for (let round = 1; round <= ROUNDS; round++) {
    await many.deal(active);
    progress.update(round);
  }
  progress.stop();
  await few.stop();
  await many.stop();
  const { commits, talliesEncoded, talliesDecoded, snapshotsEncoded } = many.work;
  return [
    bar(
      'tallies encoded in a commit, of 2,000 experiments with 10 active',
      talliesEncoded.length / commits,
      '',
      'at most',
      ACTIVE,
    ),
    bar('tallies decoded by publishers in a commit', talliesDecoded.length / commits, '', 'at most', ACTIVE),
    bar('snapshots built and published in a commit', snapshotsEncoded.length / commits, '', 'at most', ACTIVE),
    bar('heap of an idle experiment, its records on the log included', idleBytes, 'bytes', 'at most', IDLE_BYTES_MAX),
  ];
}

function heapBytes(): number {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run with node --expose-gc');
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
