/**
 * Writes what a replay learned under a namespace of its own, where a learner can go on from it and deciders can read it.
 * Repeating it writes the same again.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { Invalid } from '../core/errors.ts';
import type { PerStream } from '../core/events.ts';
import { promotedLines } from '../core/experiment.ts';
import { reflectedBy } from '../core/learning/tally.ts';
import { partitionCountOf } from '../platform/log/partition-count.ts';
import { partitionOf } from '../platform/log/partitioner.ts';
import type { Log, LogWriter } from '../platform/log/port.ts';
import { startOf } from '../platform/log/read-to-end.ts';
import { readWholes } from '../platform/log/read-wholes.ts';
import { partitionsOf, takeOver } from '../platform/log/sole-writer.ts';
import { WholeWriter } from '../platform/log/whole-writer.ts';
import { TalliesWriter } from '../platform/tallies-writer.ts';
import { createTopics, loadTopicSpecs } from '../platform/topics.ts';
import type { ReplayPlan } from './plan.ts';
import type { Replayed } from './replay.ts';

export interface Into {
  readonly log: Log;
  /** Those of the namespace. */
  readonly topics: TopicNames;
  readonly codecs: Codecs;
}

/** Creates the namespace's topics. @throws Invalid `namespace-used` when anything was ever learned there. */
export async function prepareNamespace(log: Log, topics: TopicNames): Promise<void> {
  const own = [topics.tallies, topics.snapshots, topics.deadLetters];
  await createTopics(
    log.admin,
    loadTopicSpecs(topics).filter(({ topic }) => own.includes(topic)),
  );
  for (const topic of own) {
    const used = (await log.admin.offsets(topic)).some(({ end }) => end > 0);
    if (used) throw new Invalid('namespace-used', `topic ${topic} has records already; choose a namespace that is new`);
  }
}

/**
 * Tallies and progress, which a learner of that namespace goes on from, then snapshots. A replay that did not begin with all
 * that is retained has no tallies that anybody could go on from: only its snapshots are written.
 * @throws Invalid `namespace-used` when a learner has learned more there meanwhile; Unavailable.
 */
export async function writeReplayed(
  into: Into,
  { plan, allRetained }: { readonly plan: ReplayPlan; readonly allRetained: boolean },
  replayed: Replayed,
): Promise<void> {
  const { log, topics } = into;
  const count = await partitionCountOf(log, topics.tallies);
  if (allRetained) {
    for (const partition of plan.partitions.keys()) {
      const writer = await takeOver(log, `${topics.tallies}/${partition}`, partitionsOf(topics.tallies, count));
      try {
        await writeTallies(into, writer, count, partition, plan, replayed);
      } finally {
        await writer.close();
      }
    }
  }
  await writeSnapshots(into, count, replayed);
}

async function writeTallies(
  { log, topics, codecs }: Into,
  writer: LogWriter,
  count: number,
  partition: number,
  plan: ReplayPlan,
  replayed: Replayed,
): Promise<void> {
  const cut = plan.partitions[partition]!.stops.at(-1)!.cut;
  await assertNothingBeyond({ log, topics, codecs }, partition, cut);
  const onLog = new TalliesWriter({ writer, topic: topics.tallies, partitions: count, codec: codecs.tally });
  await onLog.writeSums(replayed.tallies[partition]!);
  await onLog.writeProgress({
    kind: 'progress',
    ...{ partition, partitions: plan.partitions.length, offsets: cut },
    clocks: replayed.clocks[partition]!,
    counts: replayed.countsOf[partition]!,
    lines: promotedLines(plan.experiments.values()),
  });
}

async function assertNothingBeyond({ log, topics, codecs }: Into, partition: number, cut: PerStream): Promise<void> {
  for await (const { records } of readWholes(log, await startOf(log, topics.tallies))) {
    await codecs.tally.prepare(records.map(({ value }) => value));
    for (const { value } of records) {
      const tally = value === null ? null : codecs.tally.decode(value);
      if (tally?.partition !== partition || reflectedBy(tally.offsets, cut)) continue;
      throw new Invalid(
        'namespace-used',
        `${topics.tallies}: partition ${partition} was learned up to ${JSON.stringify(tally.offsets)} meanwhile, beyond ` +
          'what is replayed: a learner of that namespace is at work',
      );
    }
  }
}

/** By the names that publishers have there: what one of an earlier run still sends does not arrive any more. */
async function writeSnapshots({ log, topics, codecs }: Into, talliesPartitions: number, { snapshots }: Replayed) {
  const count = await partitionCountOf(log, topics.snapshots);
  const byPublisher = Map.groupBy(snapshots.values(), ({ experimentId }) =>
    partitionOf(experimentId, talliesPartitions),
  );
  for (const [publisher, some] of byPublisher) {
    const writer = await takeOver(log, `${topics.snapshots}/${publisher}`, partitionsOf(topics.snapshots, count));
    const wholes = new WholeWriter(writer, new Map());
    try {
      for (const snapshot of some) {
        const { experimentId: key } = snapshot;
        const to = { topic: topics.snapshots, partition: partitionOf(key, count) };
        await wholes.write(to, [{ key, value: codecs.snapshot.encode(snapshot) }]);
      }
    } finally {
      await writer.close();
    }
  }
}
