/** What a learner can be told. */

import { availableParallelism } from 'node:os';
import { ROLL_UP_AGE_MS_MIN } from '../core/learning/roll-up.ts';
import { choice, defineConfig, duration, flag, integer, text, type Values } from '../platform/config.ts';
import { CONNECTION_OPTIONS } from '../platform/connection-config.ts';
import { JOIN_OPTIONS } from '../platform/join/limits-config.ts';
import { LOG_LEVELS } from '../platform/logging.ts';

const DAY_MS = 86_400_000;
const THREADS_BY_DEFAULT_MAX = 4;

export const LEARNER_CONFIG = defineConfig({
  ...CONNECTION_OPTIONS,
  ...JOIN_OPTIONS,
  group: {
    env: 'CROUPIER_LEARNER_GROUP',
    type: text(),
    default: 'croupier-learner',
    doc: 'Consumer group: learners of one group share the partitions',
  },
  threads: {
    env: 'CROUPIER_LEARNER_THREADS',
    type: integer({ min: 1, max: 64 }),
    default: String(Math.min(availableParallelism(), THREADS_BY_DEFAULT_MAX)),
    unit: 'threads',
    doc: 'Learners in this process, each with partitions of its own: more than partitions are idle; by default one a core, at most 4',
  },
  namespace: {
    env: 'CROUPIER_NAMESPACE',
    type: text(),
    default: null,
    doc: 'Text before the names of the topics that it writes, such as shadow.; lets a second learner learn from the same inputs',
  },
  data: {
    env: 'CROUPIER_LEARNER_DATA',
    type: text(),
    default: '.croupier/learner',
    unit: 'folder',
    doc: 'Where the join stores are kept; a cache, rebuilt from the log when it is lost',
  },
  ephemeral: {
    env: 'CROUPIER_LEARNER_EPHEMERAL',
    type: flag(),
    default: 'false',
    doc: 'Whether to begin without the join stores of an earlier run',
  },
  storeCacheBytes: {
    env: 'CROUPIER_LEARNER_STORE_CACHE_BYTES',
    type: integer({ min: 1_000_000, max: 64_000_000_000 }),
    default: '32000000',
    unit: 'bytes',
    doc: 'Memory for what was last touched of each join store; one store a partition',
  },
  commitInterval: {
    env: 'CROUPIER_LEARNER_COMMIT_INTERVAL',
    type: duration({ minMs: 1, maxMs: 60_000 }),
    default: '200ms',
    doc: 'How often what was learned is committed and published as tallies',
  },
  publishInterval: {
    env: 'CROUPIER_LEARNER_PUBLISH_INTERVAL',
    type: duration({ minMs: 1, maxMs: 60_000 }),
    default: '100ms',
    doc: 'Least time between two snapshots of an experiment; the first change after it is published at once',
  },
  publishEventsMin: {
    env: 'CROUPIER_LEARNER_PUBLISH_EVENTS_MIN',
    type: integer({ min: 0, max: 1_000_000_000 }),
    default: '0',
    unit: 'events',
    doc: 'Decisions and counted rewards of an experiment that make a new snapshot of it worth while; 0 for any change',
  },
  publishWaitMax: {
    env: 'CROUPIER_LEARNER_PUBLISH_WAIT_MAX',
    type: duration({ minMs: 1, maxMs: DAY_MS }),
    default: '10s',
    doc: 'After this long a snapshot is published for fewer events, if there are any',
  },
  rollUpAge: {
    env: 'CROUPIER_LEARNER_ROLL_UP_AGE',
    type: duration({ minMs: ROLL_UP_AGE_MS_MIN, maxMs: 3_650 * DAY_MS }),
    default: '90d',
    doc: 'Age at which the cohorts of an experiment that does not forget are added into one; longer than the join window',
  },
  sessionTimeout: {
    env: 'CROUPIER_LEARNER_SESSION_TIMEOUT',
    type: duration({ minMs: 6_000, maxMs: DAY_MS }),
    default: '10s',
    doc: 'After this long without a sign of life a learner loses its partitions',
  },
  pollRecordsMax: {
    env: 'CROUPIER_LEARNER_POLL_RECORDS_MAX',
    type: integer({ min: 1, max: 1_000_000 }),
    default: '1000',
    unit: 'records',
    doc: 'Records taken from the log at once; other partitions and heartbeats wait as long as learning them takes',
  },
  host: {
    env: 'CROUPIER_LEARNER_HOST',
    type: text(),
    default: '127.0.0.1',
    doc: 'Address for /health, /ready and /metrics',
  },
  port: {
    env: 'CROUPIER_LEARNER_PORT',
    type: integer({ min: 0, max: 65_535 }),
    default: '8081',
    doc: 'Port for /health, /ready and /metrics; 0 takes any free one',
  },
  stopTimeout: {
    env: 'CROUPIER_LEARNER_STOP_TIMEOUT',
    type: duration({ minMs: 100, maxMs: 600_000 }),
    default: '20s',
    doc: 'How long a stop may take before the process exits all the same',
  },
  logLevel: { env: 'CROUPIER_LOG_LEVEL', type: choice(...LOG_LEVELS), default: 'info', doc: 'Least severe log line' },
});

export type LearnerValues = Values<(typeof LEARNER_CONFIG)['specs']>;
