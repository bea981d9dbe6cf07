/** Limits of the contracts: what a record may hold at most. Part of the format, so not configurable. */
import type { RecordKind } from './keys.ts';

/** Length of a name or id, in UTF-16 code units. */
export const TEXT_LENGTH_MAX = 200;
/** Arms that one decision may deal. */
export const SLOTS_MAX = 20;
export const FEATURES_MAX = 4_096;
export const ARMS_MAX = 10_000;
/** Of a layout. */
export const ASPECTS_MAX = 20;
/** Arms of a layout times patterns of its context: what the sums of a cohort count apart at most. */
export const LAYOUT_COUNTS_MAX = 200_000;
/** Length of an encoded context that an experiment may declare. */
export const DIMENSION_MAX = 1_000;
/** Of a prior: a definition is read by every process, and stays well below what brokers take by default. */
export const PRIOR_BYTES_MAX = 800_000;
/** That one experiment may learn from. */
export const METRICS_MAX = 20;
/** Features that one cross may combine. */
export const CROSSED_MAX = 4;

/** Times from here … */
export const TIME_MS_MIN = Date.UTC(2000, 0, 1);
/** … to before here are plausible; anything else is a wrong clock or a wrong unit. */
export const TIME_MS_END = Date.UTC(2100, 0, 1);

/** Bytes that a tally or a snapshot may have; above 880,000 it is written in parts (parts.ts). */
export const WHOLE_BYTES_MAX = 64_000_000;

/** Bytes of a whole value. What is never in parts has a little more room in its topic (deploy/topics.yaml), for key and framing. */
export const RECORD_BYTES_MAX: Readonly<Record<RecordKind, number>> = {
  experiment: 4_000_000,
  decision: 1_000_000,
  reward: 1_000_000,
  tally: WHOLE_BYTES_MAX,
  snapshot: WHOLE_BYTES_MAX,
  'dead-letter': 1_000_000,
};

export const DEAD_LETTER_VALUE_BYTES_MAX = 65_536;
export const DEAD_LETTER_TEXT_LENGTH_MAX = 1_000;
