/**
 * The demo's proofs: the same digest by every road, and no event unaccounted for.
 */
import { type Codecs, createCodecs } from '../../services/contracts/codec.ts';
import { type TopicNames, topicNames } from '../../services/contracts/keys.ts';
import type { ExperimentId } from '../../services/core/events.ts';
import { type Counts, unaccounted } from '../../services/core/learning/counts.ts';
import { EmbeddedLog } from '../../services/platform/embedded/log.ts';
import { embeddedSchemaSource } from '../../services/platform/embedded/schema-source.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import type { Log, LogRecord } from '../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../services/platform/log/read-to-end.ts';
import { readWholes } from '../../services/platform/log/read-wholes.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { loadTopicSpecs } from '../../services/platform/topics.ts';
import { type Replayed, replay } from '../../services/replay/replay.ts';
import { DEMO_LIMITS } from './stage.ts';

const POLL_RECORDS_MAX = 5_000;

export type Digests = ReadonlyMap<ExperimentId, string>;

export function digestsOf(snapshots: Replayed['snapshots']): Digests {
  return new Map([...snapshots].map(([experimentId, { digest }]) => [experimentId, digest]));
}

/** Learns the whole log again, from offset 0 and nothing else. */
export async function replayAll(log: Log, topics: TopicNames, codecs: Codecs): Promise<Replayed> {
  return replay({
    log,
    topics,
    codecs,
    limits: DEMO_LIMITS,
    pollRecordsMax: POLL_RECORDS_MAX,
    openStore: async () => new MemoryStore(),
  });
}

/**
 * Deals the same events, with the same append times, over another number of partitions and learns them.
 * @param codecs of the log that is read; the copy has the embedded log's own schema ids.
 */
export async function replayOver(log: Log, topics: TopicNames, codecs: Codecs, partitions: number): Promise<Replayed> {
  const clock = { nowMs: 0 };
  const copy = new EmbeddedLog({ folder: null, now: () => clock.nowMs });
  const names = topicNames();
  const copied = createCodecs(embeddedSchemaSource(names), names);
  await copy.admin.createTopics(loadTopicSpecs(names, { inputPartitions: partitions }));
  const writer = copy.writer();
  for (const kind of ['experiments', 'decisions', 'rewards'] as const) {
    for (const record of await recordsOf(log, topics[kind])) {
      clock.nowMs = record.appendTimeMs;
      const partition = kind === 'experiments' ? 0 : partitionOf(record.key!, partitions);
      await writer.append({ topic: names[kind], partition }, [
        { key: record.key, value: recode(record, kind, codecs, copied) },
      ]);
    }
  }
  try {
    return await replayAll(copy, names, copied);
  } finally {
    await copy.close();
  }
}

/** In order of append time; records of one unit keep their order. */
async function recordsOf(log: Log, topic: string): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const batch of readToEnd(log, await startOf(log, topic))) records.push(...batch.records);
  return records.sort((a, b) => a.appendTimeMs - b.appendTimeMs);
}

/** The same record under the copy's schema id; what cannot be read stays as it is. */
function recode(
  { value }: LogRecord,
  kind: 'experiments' | 'decisions' | 'rewards',
  from: Codecs,
  to: Codecs,
): Buffer | null {
  if (value === null) return null;
  try {
    if (kind === 'experiments') return to.experiment.encode(from.experiment.decode(value));
    if (kind === 'decisions') return to.decision.encode(from.decision.decode(value));
    return to.reward.encode(from.reward.decode(value));
  } catch {
    // Malformed on purpose: it must be refused in the copy too.
    return value;
  }
}

/** Copies what one learner has published of its sums to where another will look for its own. */
export async function copyTallies(
  log: Log,
  {
    from,
    to,
    decode,
    encode,
  }: {
    readonly from: TopicNames;
    readonly to: TopicNames;
    readonly decode: Codecs['tally'];
    readonly encode: Codecs['tally'];
  },
): Promise<void> {
  const writer = log.writer();
  for await (const { partition, records } of readWholes(log, await startOf(log, from.tallies))) {
    await decode.prepare(records.map(({ value }) => value));
    for (const { key, value } of records) {
      const copy = value === null ? null : encode.encode(decode.decode(value));
      await writer.append({ topic: to.tallies, partition }, [{ key, value: copy }]);
    }
  }
  await writer.close();
}

export interface Books {
  readonly in: number;
  readonly joined: number;
  readonly pending: number;
  readonly expired: number;
  readonly unmatched: number;
  readonly duplicate: number;
  readonly crowded: number;
  readonly deadLettered: number;
  readonly unaccounted: number;
}

export function booksOf(counts: Counts): Books {
  return {
    in: counts.decisionsIn + counts.rewardsIn,
    joined: counts.decisionsJoined + counts.rewardsJoined,
    pending: counts.decisionsPending + counts.rewardsPending,
    expired: counts.decisionsExpired,
    unmatched: counts.rewardsUnmatched,
    duplicate: counts.decisionsDuplicate + counts.rewardsDuplicate,
    crowded: counts.decisionsCrowded + counts.rewardsCrowded,
    deadLettered: counts.decisionsDeadLettered + counts.rewardsDeadLettered,
    unaccounted: unaccounted(counts, 'decisions') + unaccounted(counts, 'rewards'),
  };
}

/** @returns how many events the log itself holds. */
export async function eventsOnLog(log: Log, topics: TopicNames): Promise<number> {
  const offsets = [...(await log.admin.offsets(topics.decisions)), ...(await log.admin.offsets(topics.rewards))];
  return offsets.reduce((total, { start, end }) => total + end - start, 0);
}
