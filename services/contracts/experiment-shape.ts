/** The shape of an experiment file, section by section. Not here: what the sections must have in common. */
import { z } from 'zod';
import { ATTRIBUTION_MODELS, DELAY_MODES, FOLDS, HOLDOUT_SHARE_MAX } from '../core/experiment.ts';
import { isText } from './checks.ts';
import { formatDuration, parseDuration } from './duration.ts';
import {
  ARMS_MAX,
  ASPECTS_MAX,
  CROSSED_MAX,
  DIMENSION_MAX,
  METRICS_MAX,
  SLOTS_MAX,
  TEXT_LENGTH_MAX,
} from './limits.ts';

const DAY_MS = 86_400_000;

function text() {
  return z.custom<string>(
    (value) => typeof value === 'string' && isText(value),
    `allowed is text of 1 to ${TEXT_LENGTH_MAX} characters (in quotes if it looks like a number)`,
  );
}

function number(min = -Number.MAX_VALUE, max = Number.MAX_VALUE) {
  const range = min === -Number.MAX_VALUE ? '' : ` from ${min} to ${max}`;
  return z.custom<number>(
    (value) => typeof value === 'number' && value >= min && value <= max,
    `allowed is a finite number${range}`,
  );
}

function whole(min: number, max: number) {
  return z.custom<number>(
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    `allowed is a whole number from ${min} to ${max}`,
  );
}

function positive() {
  return z.custom<number>(
    (value) => typeof value === 'number' && value > 0 && value <= Number.MAX_VALUE,
    'allowed is a finite number above 0',
  );
}

function duration(minMs: number, maxMs: number) {
  const allowed = `allowed is a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 30d, 12h, 90s or 500ms`;
  return z
    .custom<string>((value) => {
      const ms = typeof value === 'string' ? parseDuration(value) : null;
      return ms !== null && ms >= minMs && ms <= maxMs;
    }, allowed)
    .transform((value) => parseDuration(value)!);
}

function choice<const T extends string>(...options: readonly T[]) {
  return z.custom<T>((value) => options.some((option) => option === value), `allowed are ${options.join(', ')}`);
}

function list<T extends z.ZodType>(item: T, min: number, max: number) {
  const error = `allowed is a list of ${min} to ${max}`;
  return z.array(item, { error }).min(min, { error }).max(max, { error });
}

/** The message of an unknown key lists the known ones; whoever reports it may suggest the nearest. */
function mapping<T extends z.core.$ZodLooseShape>(shape: T) {
  const keys = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? keys : `allowed is a mapping with the keys ${keys}`),
  });
}

const arm = z.preprocess(
  (value) => (typeof value === 'string' ? { id: value } : value),
  mapping({
    id: text(),
    state: choice('active', 'retired').default('active'),
    attributes: z
      .record(text(), number(), { error: 'allowed is a mapping from names to numbers' })
      .default({})
      .transform((attributes) => new Map(Object.entries(attributes))),
  }),
);

const layout = mapping({
  aspects: list(mapping({ name: text(), variants: list(text(), 1, ARMS_MAX) }), 1, ASPECTS_MAX),
  crosses: list(
    list(text(), 2, 2).transform(([first, second]): readonly [string, string] => [first!, second!]),
    0,
    ASPECTS_MAX * DIMENSION_MAX,
  ).default([]),
});

const policy = z.looseObject({ kind: text() }, { error: 'allowed is a mapping with the key kind and parameters' });

const feature = z.discriminatedUnion(
  'kind',
  [
    mapping({ name: text(), kind: z.literal('boolean') }),
    mapping({ name: text(), kind: z.literal('number'), mean: number().default(0), scale: positive().default(1) }),
    mapping({ name: text(), kind: z.literal('category'), values: list(text(), 1, 1_000) }),
    mapping({ name: text(), kind: z.literal('hash'), buckets: whole(2, DIMENSION_MAX - 1) }),
    mapping({ name: text(), kind: z.literal('cross'), of: list(text(), 2, CROSSED_MAX) }),
  ],
  { error: 'allowed are boolean, number, category, hash, cross, each with a name' },
);

const metrics = z
  .record(text(), mapping({ fold: choice(...FOLDS), default: number().default(0) }), {
    error: 'allowed is a mapping from names of metrics to how each is read, such as { purchase: { fold: sum } }',
  })
  .transform((named) => new Map(Object.entries(named)))
  .refine(({ size }) => size >= 1 && size <= METRICS_MAX, `allowed are 1 to ${METRICS_MAX} metrics`);

const reward = mapping({
  metrics,
  value: z.string('allowed is a formula, such as metric.purchase - arm.cost').optional(),
  min: number(),
  max: number(),
  delay: choice(...DELAY_MODES).default('impute'),
});

const attribution = mapping({
  model: choice(...ATTRIBUTION_MODELS).default('last-touch'),
  window: duration(1, 400 * DAY_MS),
});

const forgetting = z.union(
  [mapping({ halfLife: duration(1, 400 * DAY_MS) }), mapping({ window: duration(1, 400 * DAY_MS) })],
  { error: 'allowed is a mapping with either halfLife or window, a duration such as 7d' },
);

const holdout = mapping({ share: number(0, HOLDOUT_SHARE_MAX), arm: text() });

/** By key of the file. */
export const SECTIONS = {
  id: text(),
  arms: list(arm, 1, ARMS_MAX).optional(),
  layout: layout.optional(),
  policy: policy.optional(),
  policies: list(policy, 1, 100).optional(),
  floor: number(0, 1).default(0.01),
  fallback: text().optional(),
  slots: whole(1, SLOTS_MAX).default(1),
  holdout: holdout.nullable().default(null),
  context: list(feature, 0, 1_000).default([]),
  reward,
  attribution,
  cohort: duration(1_000, 400 * DAY_MS).default(DAY_MS),
  forgetting: forgetting.nullable().default(null),
  pendingExposure: z.boolean('allowed are true and false').default(true),
};

export type Sections = { readonly [Key in keyof typeof SECTIONS]: z.output<(typeof SECTIONS)[Key]> };
