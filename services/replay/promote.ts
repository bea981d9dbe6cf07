/**
 * Has a candidate take over from the definition that stands: its sums, replayed up to cuts that the live learners have
 * published, stand on the log under a line of their own before the definition does. That one record is the switch. Ended at
 * any step before it nothing has changed, after it all has; the same again finishes.
 */
import { createHash } from 'node:crypto';
import { rethrow } from '../core/errors.ts';
import { AT_START } from '../core/events.ts';
import { type Experiment, lineOf, type Promotion } from '../core/experiment.ts';
import { candidateDefinition, hasTakenOver } from '../core/experiment-change.ts';
import type { JoinLimits } from '../core/join/group.ts';
import { type Applied, ExperimentStore } from '../platform/experiment-store.ts';
import { readExperiments } from '../platform/experiments-view.ts';
import { partitionCountOf } from '../platform/log/partition-count.ts';
import { partitionOf } from '../platform/log/partitioner.ts';
import { takeOver } from '../platform/log/sole-writer.ts';
import { readProgress } from '../platform/partition-progress.ts';
import { TalliesWriter } from '../platform/tallies-writer.ts';
import type { ReplayPlan, ReplaySource } from './plan.ts';
import type { Replayed } from './replay.ts';
import { spanOf } from './span.ts';
import { standingOf } from './what-if-command.ts';

/** What is promoted, settled before the replay, which goes on to the same cuts if it is ended. */
export interface PromotionPlan {
  readonly plan: ReplayPlan;
  readonly promoted: Experiment;
  /** Nothing has run out of the log's retention: the candidate learns all that the live definition learned. */
  readonly fromStart: boolean;
}

/** @throws Invalid `experiment-unknown`, `what-if`. */
export async function planPromotion(
  source: ReplaySource,
  wanted: Experiment,
  limits: JoinLimits,
): Promise<PromotionPlan> {
  const experiments = await readExperiments(source);
  const standing = standingOf(wanted, experiments);
  const candidate = { ...candidateDefinition(standing, wanted), promotion: null };
  if (hasTakenOver(standing, candidate)) {
    return { plan: { experiments: new Map(), limits, partitions: [] }, promoted: standing, fromStart: true };
  }
  const { from, to, fromStart } = await spanOf(source.log, source.topics, { from: null, to: null });
  const cuts = await publishedCuts(source, to.length);
  const hash = createHash('sha256').update(source.codecs.experiment.encode(candidate)).update(JSON.stringify(cuts));
  const promoted = {
    ...candidate,
    promotion: { label: hash.digest('hex').slice(0, 12), tallies: source.topics.tallies, cuts },
  };
  const partitions = cuts.map(({ offsets }, partition) => ({
    from: from[partition]!,
    stops: [{ cut: offsets, experimentIds: new Set([...experiments.keys()]) }],
  }));
  // With all others: a unit's share of what is learned from is one for all experiments.
  const plan = { experiments: new Map([...experiments, [wanted.id, promoted]]), limits, partitions };
  return { plan, promoted, fromStart };
}

/** Learners pass through each cut that is published, and begin again at none that is not. */
async function publishedCuts(
  { log, topics, codecs }: ReplaySource,
  partitions: number,
): Promise<Promotion['cuts'][number][]> {
  const cuts = Array.from({ length: partitions }, () => ({ offsets: AT_START, clocks: AT_START }));
  for (const { partition, offsets, clocks } of await readProgress(log, topics.tallies, codecs.tally)) {
    cuts[partition] = { offsets, clocks };
  }
  return cuts;
}

/** @throws Invalid `promotion-overtaken`; Unavailable: the same again finishes. */
export async function promote(
  source: ReplaySource,
  { promoted }: PromotionPlan,
  { tallies }: Replayed,
): Promise<Applied> {
  const { log, topics, codecs } = source;
  const store = new ExperimentStore({
    log,
    topic: topics.experiments,
    codec: codecs.experiment,
    onRefused: rethrow,
  });
  const count = await partitionCountOf(log, topics.tallies);
  const to = { topic: topics.tallies, partition: partitionOf(promoted.id, count) };
  // Before the definition is read: who was overtaken there can write nothing here once learners go on from these tallies.
  const writer = await takeOver(log, `${topics.tallies}/promote/${promoted.id}`, [to]);
  try {
    const onLog = new TalliesWriter({ writer, topic: topics.tallies, partitions: count, codec: codecs.tally });
    const sums = tallies.flat().filter(({ experimentId }) => experimentId === lineOf(promoted));
    return await store.promote(promoted, () => onLog.writeSums(sums));
  } finally {
    await writer.close();
  }
}
