import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { startProgress } from '../../../services/platform/progress.ts';

function shownOf(total: number, updates: readonly number[]): string[] {
  const to = new PassThrough();
  const progress = startProgress({ label: 'replay', total, unit: 'events', to: to as unknown as NodeJS.WriteStream });
  for (const done of updates) progress.update(done);
  progress.stop();
  return String(to.read() ?? '')
    .split('\n')
    .slice(0, -1);
}

test('off a terminal there is a line for each tenth that was passed, and none in between', () => {
  expect(shownOf(50, [0, 1, 5, 6, 9, 24, 50])).toEqual([
    'replay: 10% (5/50 events)',
    'replay: 40% (24/50 events)',
    'replay: 100% (50/50 events)',
  ]);
});

test('nothing to do is done at once', () => {
  expect(shownOf(0, [0])).toEqual(['replay: 100% (0/0 events)']);
});
