/**
 * The tallies that a generation begins with: the sums so far in its first partition, and a progress record for each,
 * that of the first partition last. While that one is missing no learner begins, so all of it may be written again.
 */
import type { Codecs } from '../../contracts/codec.ts';
import { progressKey, type TopicNames } from '../../contracts/keys.ts';
import { Invalid } from '../../core/errors.ts';
import type { PerStream } from '../../core/events.ts';
import type { NamedSums } from '../../core/learning/sums.ts';
import type { CohortTally } from '../../core/learning/tally.ts';
import { partitionCountOf } from '../../platform/log/partition-count.ts';
import { partitionOf } from '../../platform/log/partitioner.ts';
import type { Log } from '../../platform/log/port.ts';
import { readToEnd, startOf } from '../../platform/log/read-to-end.ts';
import { partitionsOf, takeOver } from '../../platform/log/sole-writer.ts';
import { TalliesWriter } from '../../platform/tallies-writer.ts';
import type { Base } from './base.ts';

const SEEDED = progressKey(0);

export async function isSeeded(log: Log, { tallies }: TopicNames): Promise<boolean> {
  const partition = partitionOf(SEEDED, await partitionCountOf(log, tallies));
  const from = (await startOf(log, tallies)).filter((start) => start.partition === partition);
  for await (const { records } of readToEnd(log, from)) {
    if (records.some(({ key, value }) => key === SEEDED && value !== null)) return true;
  }
  return false;
}

/** @throws Invalid `not-seeded`. */
export async function assertSeeded(log: Log, topics: TopicNames): Promise<void> {
  if (await isSeeded(log, topics)) return;
  throw new Invalid(
    'not-seeded',
    `${topics.tallies} does not say yet what was learned before it; \`croupier repartition\` writes that, then learners may begin`,
  );
}

/** What each partition has reflected already when its learner begins. */
export interface Beginning {
  readonly offsets: PerStream;
  readonly clocks: PerStream;
}

/** @param beginnings by partition. */
export async function seed(
  { log, topics, codecs }: { readonly log: Log; readonly topics: TopicNames; readonly codecs: Pick<Codecs, 'tally'> },
  beginnings: readonly Beginning[],
  { sums, counts, lines }: Base,
): Promise<void> {
  const count = await partitionCountOf(log, topics.tallies);
  for (const [partition, beginning] of [...beginnings.entries()].reverse()) {
    // As its learners do: whoever is the last one to say how a partition began is the only one.
    const writer = await takeOver(log, `${topics.tallies}/${partition}`, partitionsOf(topics.tallies, count));
    try {
      const onLog = new TalliesWriter({ writer, topic: topics.tallies, partitions: count, codec: codecs.tally });
      const cut = { partition, partitions: beginnings.length, ...beginning };
      if (partition === 0) await onLog.writeSums(together(sums).map((named) => ({ kind: 'sums', ...cut, ...named })));
      await onLog.writeProgress({ kind: 'progress', ...cut, counts: counts[partition]!, lines });
    } finally {
      await writer.close();
    }
  }
}

/** All sums of an experiment change at the one cut. */
function together(sums: Base['sums']): (NamedSums & Pick<CohortTally, 'changedTogether'>)[] {
  return [...Map.groupBy(sums, ({ experimentId }) => experimentId).values()].flatMap((own) =>
    own.map((named) => ({ ...named, changedTogether: own.length })),
  );
}
