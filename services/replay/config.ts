/** What a replay can be told. */
import { choice, defineConfig, duration, integer, text, type Values } from '../platform/config.ts';
import { CONNECTION_OPTIONS } from '../platform/connection-config.ts';
import { JOIN_OPTIONS } from '../platform/join/limits-config.ts';
import { LOG_LEVELS } from '../platform/logging.ts';

const THREADS_MAX = 256;
const YEAR_MS = 365 * 86_400_000;

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
  whatIf: {
    env: 'CROUPIER_REPLAY_WHAT_IF',
    type: text(),
    default: null,
    unit: 'file',
    doc: 'Judge the definition in that file, as for `experiments apply`, on what was logged of the experiment with its id: another policy, reward, attribution, window, floor or forgetting; see below',
  },
  judgeBy: {
    env: 'CROUPIER_REPLAY_JUDGE_BY',
    type: choice('live', 'candidate'),
    default: 'live',
    doc: 'With --what-if: whose reward and attribution say what a decision was worth, for both sides',
  },
  matureAfter: {
    env: 'CROUPIER_REPLAY_MATURE_AFTER',
    type: duration({ minMs: 0, maxMs: YEAR_MS }),
    default: null,
    doc: 'With --what-if: judge decisions that are so old by the log; the window of what it is judged by when left out',
  },
  parts: {
    env: 'CROUPIER_REPLAY_PARTS',
    type: integer({ min: 2, max: 100 }),
    default: '10',
    doc: 'With --what-if: into how many parts the units are put; each of the later half is judged by what those before it teach',
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
