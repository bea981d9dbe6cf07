/** How many partitions a topic has that must be there. */
import type { TopicNames } from '../../contracts/keys.ts';
import { Corrupt, Invalid } from '../../core/errors.ts';
import type { Log } from './port.ts';

/** @throws Invalid `unknown-topic`, naming the command that makes it; Unavailable. */
export async function partitionCountOf(log: Log, topic: string): Promise<number> {
  const count = await log.admin.partitionCount(topic);
  if (count !== null) return count;
  throw new Invalid('unknown-topic', `topic ${topic} does not exist; \`croupier topics create\` makes it`);
}

/** Units meet only where both inputs give them one place. @throws Invalid `not-co-partitioned`. */
export function assertCoPartitioned(
  topics: Pick<TopicNames, 'decisions' | 'rewards'>,
  count: Readonly<Record<'decisions' | 'rewards', number>>,
): void {
  if (count.decisions === count.rewards) return;
  throw new Invalid(
    'not-co-partitioned',
    `${topics.decisions} has ${count.decisions} partitions, ${topics.rewards} ${count.rewards}; they must have the same count`,
  );
}

/** What was kept under a number of partitions. */
export interface Kept {
  /** Such as `the local store`. */
  readonly what: string;
  readonly count: number;
}

/** @throws Corrupt when the topic has another number now. */
export function assertSameCount(topic: string, count: number, kept: Kept): void {
  if (count !== kept.count) throw partitionsChanged(topic, count, kept);
}

/** Units have their places by the number of partitions: what was kept under one number means nothing under another. */
export function partitionsChanged(topic: string, count: number, kept: Kept): Corrupt {
  return new Corrupt(
    'partitions-changed',
    `${topic} has ${count} partitions, but ${kept.what} is of ${kept.count}. A topic keeps its number for life: ` +
      '`croupier repartition` makes topics with another number and takes along what was learned',
  );
}
