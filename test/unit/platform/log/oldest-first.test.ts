import { expect, test } from 'vitest';
import { type Source, takeOldestFirst } from '../../../../services/platform/log/oldest-first.ts';
import type { LogRecord } from '../../../../services/platform/log/port.ts';

class Times implements Source {
  private readonly partition: number;
  private readonly times: number[];
  readonly hasMore: boolean;
  private at = 0;

  constructor(partition: number, times: readonly number[], hasMore = false) {
    this.partition = partition;
    this.times = [...times];
    this.hasMore = hasMore;
  }

  get nextTimeMs(): number | null {
    return this.times[this.at] ?? null;
  }

  take(maxRecords: number, upToMs: number) {
    const records: LogRecord[] = [];
    for (let next = this.nextTimeMs; next !== null && next <= upToMs; next = this.nextTimeMs) {
      if (records.length === maxRecords) break;
      records.push({ offset: this.at, appendTimeMs: next, key: null, value: null, headers: {} });
      this.at += 1;
    }
    return { topic: 't', partition: this.partition, records, nextOffset: this.at };
  }
}

function timesOf(sources: readonly Source[], maxRecords: number): Record<number, number[]> {
  const batches = takeOldestFirst(sources, maxRecords);
  return Object.fromEntries(
    batches.map(({ partition, records }) => [partition, records.map(({ appendTimeMs }) => appendTimeMs)]),
  );
}

test('what was appended first is taken first, from whichever partition, a batch of each', () => {
  const sources = [new Times(0, [1, 4, 5, 9]), new Times(1, [2, 3, 6, 7])];
  expect(timesOf(sources, 5)).toEqual({ 0: [1, 4, 5], 1: [2, 3] });
  expect(timesOf(sources, 5)).toEqual({ 0: [9], 1: [6, 7] });
  expect(timesOf(sources, 5)).toEqual({});
});

test('of the same time, those of one partition come together', () => {
  expect(timesOf([new Times(0, [5, 5, 6]), new Times(1, [5, 5])], 4)).toEqual({ 0: [5, 5], 1: [5, 5] });
});

test('a partition that has more than is at hand ends it: what comes next may be older than all else', () => {
  const [known, other] = [new Times(0, [1, 2], true), new Times(1, [3, 4])];
  expect(timesOf([known, other], 10)).toEqual({ 0: [1, 2] });
});

test('one with nothing more to come does not hold the others up', () => {
  expect(timesOf([new Times(0, [1, 2]), new Times(1, [3, 4])], 10)).toEqual({ 0: [1, 2], 1: [3, 4] });
});
