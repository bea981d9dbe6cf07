import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { murmur2, partitionOf } from '../../../../services/platform/log/partitioner.ts';

/** From Kafka's UtilsTest.testMurmur2. */
const GOLDEN: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

describe('partitioner', () => {
  test.each(GOLDEN)("hashes %s as Kafka's own tests say", (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  test("agrees with kafkajs's Java-compatible partitioner on keys of every length and beyond ASCII", () => {
    const partitioner = kafkajs.Partitioners.JavaCompatiblePartitioner();
    const keys = Array.from({ length: 300 }, (_, i) => `${'ключ-🎲'.repeat(i % 4)}${'u'.repeat(i % 11)}${i}`);
    for (const count of [1, 4, 7, 50]) {
      const partitionMetadata = Array.from({ length: count }, (_, partitionId) => {
        return { partitionId, leader: 1, partitionErrorCode: 0, replicas: [1], isr: [1] };
      });
      for (const key of keys) {
        const theirs = partitioner({ topic: 't', partitionMetadata, message: { key, value: null } });
        expect(partitionOf(key, count)).toBe(theirs);
      }
    }
  });

  test.each([0, -1, 1.5, Number.NaN])('refuses a count of %s', (count) => {
    expect(() => partitionOf('key', count)).toThrow(/positive integer/);
  });
});
