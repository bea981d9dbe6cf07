/**
 * The tallies that a generation begins with: the sums so far in its first partition, and a progress record for each,
 * that of the first partition last. While that one is missing no learner begins, so all of it may be written again.
 */
import type { Codec, Codecs } from '../../contracts/codec.ts';
import { experimentOfTallyKey, progressKey, type TopicNames, tallyKey } from '../../contracts/keys.ts';
import { Invalid } from '../../core/errors.ts';
import type { PerStream } from '../../core/events.ts';
import { experimentOfLine } from '../../core/experiment.ts';
import type { CohortTally, ProgressTally, Tally } from '../../core/learning/tally.ts';
import { partitionCountOf } from '../../platform/log/partition-count.ts';
import { partitionOf } from '../../platform/log/partitioner.ts';
import type { Log, LogWriter } from '../../platform/log/port.ts';
import { readToEnd, startOf } from '../../platform/log/read-to-end.ts';
import { partitionsOf, takeOver } from '../../platform/log/sole-writer.ts';
import { WholeWriter } from '../../platform/log/whole-writer.ts';
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
  const talliesPartitions = await partitionCountOf(log, topics.tallies);
  const tallies = { topic: topics.tallies, count: talliesPartitions, codec: codecs.tally };
  for (const [partition, beginning] of [...beginnings.entries()].reverse()) {
    // As its learners do: whoever is the last one to say how a partition began is the only one.
    const writer = await takeOver(
      log,
      `${topics.tallies}/${partition}`,
      partitionsOf(topics.tallies, talliesPartitions),
    );
    try {
      const cut = { partition, partitions: beginnings.length, ...beginning };
      if (partition === 0)
        await writeSums(
          writer,
          tallies,
          sums.map((named): CohortTally => {
            const changedTogether = sums.filter(({ experimentId }) => experimentId === named.experimentId).length;
            return { kind: 'sums', ...cut, ...named, changedTogether };
          }),
        );
      const progress: ProgressTally = { kind: 'progress', ...cut, counts: counts[partition]!, lines };
      const key = progressKey(partition);
      const to = { topic: topics.tallies, partition: partitionOf(key, talliesPartitions) };
      await writer.append(to, [{ key, value: codecs.tally.encode(progress) }]);
    } finally {
      await writer.close();
    }
  }
}

async function writeSums(
  writer: LogWriter,
  { topic, count, codec }: { readonly topic: string; readonly count: number; readonly codec: Codec<Tally> },
  tallies: readonly CohortTally[],
): Promise<void> {
  const whole = new WholeWriter(writer, new Map());
  const entries = tallies.map((tally) => ({ key: tallyKey(tally, 0), value: codec.encode(tally) }));
  const byPartition = Map.groupBy(entries, ({ key }) =>
    partitionOf(experimentOfLine(experimentOfTallyKey(key)), count),
  );
  for (const [partition, some] of byPartition) await whole.write({ topic, partition }, some);
}
