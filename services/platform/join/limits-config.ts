/**
 * The join's limits as options: the same for every learner and replay of one installation, since what is learned
 * depends on them.
 */
import type { JoinLimits } from '../../core/join/group.ts';
import { duration, inGroup, integer, type Values } from '../config.ts';

const YEAR_MS = 365 * 86_400_000;

export const JOIN_OPTIONS = inGroup('Join:', {
  joinWindow: {
    env: 'CROUPIER_JOIN_WINDOW',
    type: duration({ minMs: 1, maxMs: YEAR_MS }),
    default: '30d',
    doc: 'Longest attribution window that an experiment may declare',
  },
  joinGrace: {
    env: 'CROUPIER_JOIN_GRACE',
    type: duration({ minMs: 0, maxMs: YEAR_MS }),
    default: '1d',
    doc: 'How much later than the window a reward may reach the log',
  },
  joinEarlyGrace: {
    env: 'CROUPIER_JOIN_EARLY_GRACE',
    type: duration({ minMs: 0, maxMs: YEAR_MS }),
    default: '1d',
    doc: 'How much earlier than its decision a reward may reach the log',
  },
  joinUnitEvents: {
    env: 'CROUPIER_JOIN_UNIT_EVENTS',
    type: integer({ min: 1, max: 100_000 }),
    default: '200',
    doc: 'How many decisions, and as many records of rewards, of one unit are learned from in each span; the rest is counted as crowded',
  },
  joinUnitSpan: {
    env: 'CROUPIER_JOIN_UNIT_SPAN',
    type: duration({ minMs: 1, maxMs: YEAR_MS }),
    default: '1d',
    doc: 'How long such a span is, by the clock of the log',
  },
});

export function joinLimits(values: Values<typeof JOIN_OPTIONS>): JoinLimits {
  return {
    windowMs: values.joinWindow,
    graceMs: values.joinGrace,
    earlyGraceMs: values.joinEarlyGrace,
    unitEventsMax: values.joinUnitEvents,
    unitSpanMs: values.joinUnitSpan,
  };
}
