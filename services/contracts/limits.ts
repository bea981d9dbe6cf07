/** Limits of the contracts: what a record may hold at most. Part of the format, so not configurable. */
import type { RecordKind } from './keys.ts';

/** Length of a name or id, in UTF-16 code units. */
export const TEXT_LENGTH_MAX = 200;
/** Arms that one decision may deal. */
export const SLOTS_MAX = 20;
export const FEATURES_MAX = 4_096;
export const ARMS_MAX = 10_000;
/** Length of an encoded context that an experiment may declare. */
export const DIMENSION_MAX = 1_000;
/** Features that one cross may combine. */
export const CROSSED_MAX = 4;

/** Times from here … */
export const TIME_MS_MIN = Date.UTC(2000, 0, 1);
/** … to before here are plausible; anything else is a wrong clock or a wrong unit. */
export const TIME_MS_END = Date.UTC(2100, 0, 1);

/** Bytes of a whole record value; the topics (deploy/topics.yaml) take a little more, for keys and framing. */
export const RECORD_BYTES_MAX: Readonly<Record<RecordKind, number>> = {
  experiment: 4_000_000,
  decision: 1_000_000,
  reward: 1_000_000,
  tally: 4_000_000,
  snapshot: 4_000_000,
  'dead-letter': 1_000_000,
};

export const DEAD_LETTER_VALUE_BYTES_MAX = 65_536;
export const DEAD_LETTER_TEXT_LENGTH_MAX = 1_000;
