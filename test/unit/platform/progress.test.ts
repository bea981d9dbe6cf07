import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { startProgress } from '../../../services/platform/progress.ts';

/** Half a second passes between any two looks at the clock. */
function shownOf(total: number, updates: readonly (readonly [done: number, before?: number])[]): string[] {
  const to = new PassThrough();
  let nowMs = 0;
  const progress = startProgress({
    ...{ label: 'replay', total, unit: 'events', to: to as unknown as NodeJS.WriteStream },
    nowMs: () => (nowMs += 500),
  });
  for (const update of updates) progress.update(...update);
  progress.stop();
  return String(to.read() ?? '')
    .split('\n')
    .slice(0, -1);
}

test('off a terminal there is a line for each tenth that was passed, with the rate, and none in between', () => {
  expect(shownOf(50, [[0], [1], [5], [6], [9], [24], [50]])).toEqual([
    'replay: 10% (5/50 events, 10 a second)',
    'replay: 40% (24/50 events, 24 a second)',
    'replay: 100% (50/50 events, 33 a second)',
  ]);
});

test('what was done before says nothing of the rate', () => {
  expect(shownOf(50, [[50, 40]])).toEqual(['replay: 100% (50/50 events, 20 a second)']);
});

test('nothing to do is done at once', () => {
  expect(shownOf(0, [[0]])).toEqual(['replay: 100% (0/0 events, 0 a second)']);
});
