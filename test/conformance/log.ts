/** What every adapter of the log port promises. Each adapter's test file calls `describeLog` with its own log. */
import { describe } from 'vitest';
import { describeAppending } from './log-appending.ts';
import { describeEnds } from './log-ends.ts';
import type { LogUnderTest } from './log-fixtures.ts';
import { describeGroups } from './log-groups.ts';
import { describeReading } from './log-reading.ts';
import { describeSoleWriters } from './log-sole-writers.ts';
import { describeTopics } from './log-topics.ts';

export function describeLog(name: string, underTest: LogUnderTest): void {
  describe(name, () => {
    describeAppending(underTest);
    describeSoleWriters(underTest);
    describeReading(underTest);
    describeTopics(underTest);
    describeEnds(underTest);
    describeGroups(underTest);
  });
}
