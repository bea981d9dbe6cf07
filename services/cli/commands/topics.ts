/** `croupier topics create`: the set-up step, once for each installation and after each upgrade. */
import { formatDuration } from '../../contracts/duration.ts';
import { renderTable } from '../../platform/table.ts';
import { createTopics, loadTopicSpecs, type TopicOverrides } from '../../platform/topics.ts';
import type { Answer, Installation } from '../ports.ts';

/** @throws Invalid `topic-mismatch`, `schema-incompatible`; Unavailable. */
export async function topicsCreate(
  { log, topics, registerSchemas }: Installation,
  overrides: TopicOverrides,
): Promise<Answer> {
  const created = await createTopics(log.admin, loadTopicSpecs(topics, overrides));
  const schemas = await registerSchemas();
  const data = {
    topics: created.map(({ spec: { topic, partitions, cleanup, retentionMs }, created }) => ({
      topic,
      partitions,
      cleanup,
      retentionMs,
      created,
    })),
    schemas,
  };
  const topicRows = data.topics.map(({ topic, partitions, cleanup, retentionMs, created }) => [
    topic,
    partitions,
    cleanup,
    cleanup === 'compact' ? 'newest of each key' : retentionMs === null ? 'for ever' : formatDuration(retentionMs),
    created ? 'created' : 'was there',
  ]);
  const schemaRows = schemas.map(({ subject, id, compatibility }) => [subject, id, compatibility]);
  const text = [
    renderTable(['topic', 'partitions', 'cleanup', 'keeps', 'now'], topicRows),
    renderTable(['subject', 'schema id', 'compatibility'], schemaRows),
  ].join('\n');
  return { data, text };
}
