/** What a replay can be told. */
import { choice, defineConfig, integer, text, type Values } from '../platform/config.ts';
import { CONNECTION_OPTIONS } from '../platform/connection-config.ts';
import { JOIN_OPTIONS } from '../platform/join/limits-config.ts';
import { LOG_LEVELS } from '../platform/logging.ts';

const THREADS_MAX = 256;

export const REPLAY_CONFIG = defineConfig({
  ...CONNECTION_OPTIONS,
  ...JOIN_OPTIONS,
  namespace: {
    env: 'CROUPIER_NAMESPACE',
    type: text(),
    default: null,
    doc: 'Text before the name of the snapshots topic to compare with, such as shadow.',
  },
  from: {
    env: 'CROUPIER_REPLAY_FROM',
    type: text(),
    default: null,
    unit: 'position',
    doc: 'Begin there: a time by the log such as 2026-11-01T00:00:00Z, an offset of every input partition, or decisions=OFFSET,rewards=OFFSET. All that is retained when left out; only that can be compared with the live digests',
  },
  to: {
    env: 'CROUPIER_REPLAY_TO',
    type: text(),
    default: null,
    unit: 'position',
    doc: 'Stop before that, said in the same way. Where the log ends now when left out',
  },
  into: {
    env: 'CROUPIER_REPLAY_INTO',
    type: text(),
    default: null,
    unit: 'namespace',
    doc: 'Write what is learned to topics of that namespace, such as shadow., which must be new: a learner with CROUPIER_NAMESPACE=shadow. goes on from there. Without it nothing is written',
  },
  parallel: {
    env: 'CROUPIER_REPLAY_PARALLEL',
    type: integer({ min: 1, max: THREADS_MAX }),
    default: null,
    unit: 'threads',
    doc: 'How many partitions are learned at once; as many as there are cores when left out',
  },
  data: {
    env: 'CROUPIER_REPLAY_DATA',
    type: text(),
    default: '.croupier/replay',
    unit: 'folder',
    doc: 'Where a replay keeps how far it is: ended half-way, the same command goes on from there. Removed when it is done',
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
