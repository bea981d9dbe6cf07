import { expect, test } from 'vitest';
import type { RecordBatch } from '../../../../services/platform/log/port.ts';
import { takeTurns } from '../../../../services/platform/log/turns.ts';

function shares(available: readonly number[], turn: number, maxRecords: number): [number, number][] {
  const sources = available.map((count, partition) => ({ partition, count }));
  const batches = takeTurns(sources, { turn, maxRecords }, ({ partition, count }, share): RecordBatch => {
    const records = Array.from({ length: Math.min(count, share) }, (_, offset) => {
      return { offset, appendTimeMs: 0, key: null, value: null, headers: {} };
    });
    return { topic: 't', partition, records, nextOffset: records.length };
  });
  return batches.map(({ partition, records }) => [partition, records.length]);
}

test('each gets an equal share', () => {
  expect(shares([100, 100, 100], 0, 9)).toEqual([
    [0, 3],
    [1, 3],
    [2, 3],
  ]);
});

test('what one leaves goes to those after it', () => {
  expect(shares([1, 100, 100], 0, 9)).toEqual([
    [0, 1],
    [1, 4],
    [2, 4],
  ]);
});

test('when there is less than one each, the first place moves on from turn to turn', () => {
  expect([0, 1, 2, 3].map((turn) => shares([9, 9, 9], turn, 1))).toEqual([[[0, 1]], [[1, 1]], [[2, 1]], [[0, 1]]]);
});
