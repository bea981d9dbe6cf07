import { expect, test } from 'vitest';
import { topicNames } from '../../../services/contracts/keys.ts';
import { Invalid } from '../../../services/core/errors.ts';
import { rebuiltFromMs } from '../../../services/core/join/group.ts';
import { defineConfig } from '../../../services/platform/config.ts';
import { EmbeddedLog } from '../../../services/platform/embedded/log.ts';
import { JOIN_OPTIONS, joinLimits } from '../../../services/platform/join/limits-config.ts';
import { createTopics, loadTopicSpecs, parseTopicsFile } from '../../../services/platform/topics.ts';

const topics = topicNames('t.');

function memoryLog(): EmbeddedLog {
  return new EmbeddedLog({ folder: null, now: () => 0 });
}

test('the file of topics gives each topic its name, cleanup and limits', () => {
  const specs = new Map(loadTopicSpecs(topics).map((spec) => [spec.topic, spec]));
  expect([...specs.keys()]).toEqual(Object.values(topics));
  expect(specs.get('t.snapshots')).toMatchObject({
    cleanup: 'compact',
    retentionMs: null,
    compactionLagMs: 3_600_000,
    recordBytesMax: 1_048_576,
  });
  expect(specs.get('t.dead-letters')).toMatchObject({ cleanup: 'delete' });
});

test('what a rebuild reads again is kept', () => {
  const limits = joinLimits(defineConfig(JOIN_OPTIONS).parse({ env: {}, flags: {} }));
  for (const spec of loadTopicSpecs(topics).filter(({ topic }) => [topics.decisions, topics.rewards].includes(topic))) {
    expect(spec.retentionMs).toBeGreaterThanOrEqual(rebuiltFromMs(limits));
  }
});

test('decisions and rewards get the partitions asked for, the others keep theirs', () => {
  const partitions = loadTopicSpecs(topics, { inputPartitions: 7 }).map((spec) => spec.partitions);
  expect(partitions).toEqual([1, 7, 7, 4, 4, 1]);
  expect(loadTopicSpecs(topics, { replication: 3 }).every((spec) => spec.replication === 3)).toBe(true);
});

test('creating the topics twice creates them once', async () => {
  const log = memoryLog();
  const specs = loadTopicSpecs(topics);
  expect((await createTopics(log.admin, specs)).map(({ created }) => created)).toEqual(specs.map(() => true));
  expect((await createTopics(log.admin, specs)).map(({ created }) => created)).toEqual(specs.map(() => false));
});

test('another number of partitions is refused and nothing is created', async () => {
  const log = memoryLog();
  await createTopics(log.admin, loadTopicSpecs(topics).slice(1, 2));
  const creating = createTopics(log.admin, loadTopicSpecs(topics, { inputPartitions: 7 }));
  await expect(creating).rejects.toThrow(/t\.decisions has 4 partitions, wanted are 7/);
  await expect(creating).rejects.toBeInstanceOf(Invalid);
  expect(await log.admin.partitionCount(topics.experiments)).toBeNull();
});

const COMPLETE = `experiments: { partitions: 1, cleanup: compact, recordBytes: 4194304 }
decisions: { partitions: 4, cleanup: delete, retention: 64d, recordBytes: 1048576 }
rewards: { partitions: 4, cleanup: delete, retention: 64d, recordBytes: 1048576 }
tallies: { partitions: 4, cleanup: compact, recordBytes: 1048576 }
snapshots: { partitions: 4, cleanup: compact, compactionLag: 1h, recordBytes: 1048576 }
dead-letters: { partitions: 1, cleanup: delete, recordBytes: 1048576 }
`;

test.each([
  ['rewards: { partitions: 4', 'rewards: { partitions: 5', /^t\.yaml:3:24: rewards\.partitions: 5, .*the same number/],
  ['64d', '64 days', /^t\.yaml:2:\d+: decisions\.retention: "64 days", allowed is a duration/],
  [
    'cleanup: compact,',
    'cleanup: compact, retention: 1d,',
    /^t\.yaml:1:\d+: experiments\.retention: "1d", a compacted/,
  ],
  ['4194304', '4000000', /^t\.yaml:1:\d+: experiments\.recordBytes: 4000000, allowed is 4004096 or more/],
  ['retention: 64d', 'retention: 64d, compactionLag: 1h', /compactionLag: "1h", a topic that is kept by age/],
  ['Lag: 1h', 'Lag: soon', /compactionLag: "soon", allowed is a duration/],
  ['snapshots:', 'snapshot:', /snapshots: missing/],
])('a file of topics with %s written as %s is refused by line and column', (right, wrong, message) => {
  expect(parseTopicsFile('t.yaml', COMPLETE, topics)).toHaveLength(6);
  expect(() => parseTopicsFile('t.yaml', COMPLETE.replace(right, wrong), topics)).toThrow(message);
});
