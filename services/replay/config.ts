/** What a replay can be told. */
import { choice, defineConfig, integer, text, type Values } from '../platform/config.ts';
import { CONNECTION_OPTIONS } from '../platform/connection-config.ts';
import { JOIN_OPTIONS } from '../platform/join/limits-config.ts';
import { LOG_LEVELS } from '../platform/logging.ts';

export const REPLAY_CONFIG = defineConfig({
  ...CONNECTION_OPTIONS,
  ...JOIN_OPTIONS,
  namespace: {
    env: 'CROUPIER_NAMESPACE',
    type: text(),
    default: null,
    doc: 'Text before the name of the snapshots topic to compare with, such as shadow.',
  },
  fromOffset: {
    env: 'CROUPIER_REPLAY_FROM_OFFSET',
    type: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    default: '0',
    unit: 'offset',
    doc: 'Begin at this offset of every input partition; only a replay from 0 can be compared with the live digests',
  },
  fromTime: {
    env: 'CROUPIER_REPLAY_FROM_TIME',
    type: text(),
    default: null,
    unit: 'time',
    doc: 'Begin with what the log appended from then on, such as 2026-11-01T00:00:00Z',
  },
  data: {
    env: 'CROUPIER_REPLAY_DATA',
    type: text(),
    default: '.croupier/replay',
    unit: 'folder',
    doc: 'Where join stores are kept while the replay runs',
  },
  pollRecordsMax: {
    env: 'CROUPIER_REPLAY_POLL_RECORDS_MAX',
    type: integer({ min: 1, max: 1_000_000 }),
    default: '5000',
    unit: 'records',
    doc: 'Records taken from the log at once',
  },
  logLevel: { env: 'CROUPIER_LOG_LEVEL', type: choice(...LOG_LEVELS), default: 'warn', doc: 'Least severe log line' },
});

export type ReplayValues = Values<(typeof REPLAY_CONFIG)['specs']>;
