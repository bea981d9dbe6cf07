/** What a replay found, as tables for people. */
import { COUNT_NAMES } from '../core/learning/counts.ts';
import { renderTable } from '../platform/table.ts';
import type { Outcome } from './command.ts';

/** @returns lines, the last one ended. */
export function describe({ verified, counts, events, resumed, seconds }: Outcome): string {
  const rows = verified.map(({ experimentId, version, digest, liveDigest, verdict }) => [
    experimentId,
    version,
    digest,
    liveDigest ?? '-',
    verdict,
  ]);
  const books = renderTable(
    ['events', 'count'],
    COUNT_NAMES.map((name) => [name, counts[name]]),
  );
  const earlier = resumed === 0 ? '' : `, after ${resumed} in earlier runs`;
  return (
    `${renderTable(['experiment', 'version', 'digest', 'live digest', 'verdict'], rows)}\n${books}\n` +
    `${events} events in ${seconds.toFixed(1)} s, ${Math.round(events / seconds)} a second${earlier}\n`
  );
}
