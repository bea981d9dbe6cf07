/**
 * The definition of an experiment and the rules for changing one.
 * What gives the sums their meaning (context, reward, attribution, cohorts) is fixed for an experiment's life;
 * arms may be added or retired, and policies, floor and fallback may change, since those only shape snapshots.
 */
import { Invalid } from './errors.ts';
import type { ArmId, ExperimentId, PerStream } from './events.ts';
import { type Formula, namesOf } from './expressions/expression.ts';

export interface Arm {
  readonly id: ArmId;
  /** Retired arms are never dealt; their sums are kept and they may come back. */
  readonly state: 'active' | 'retired';
  /** First definition version that has this arm; decisions of earlier versions cannot name it. */
  readonly sinceVersion: number;
  /** Numeric facts about the arm, `cost` among them. */
  readonly attributes: ReadonlyMap<string, number>;
}

export interface PolicySpec {
  /** A kind known to the policy registry. */
  readonly kind: string;
  /** Validated against the policy's own parameter specification, defaults filled in. */
  readonly parameters: ReadonlyMap<string, number>;
}

export type Feature =
  | { readonly kind: 'boolean'; readonly name: string }
  /** Encoded as (value − mean) / scale. */
  | { readonly kind: 'number'; readonly name: string; readonly mean: number; readonly scale: number }
  /** One-hot over the declared values; anything else encodes as all zeros. */
  | { readonly kind: 'category'; readonly name: string; readonly values: readonly string[] }
  /** One-hot over the buckets that any text is hashed into (deciding/encode-context.ts), for categories that cannot be listed. */
  | { readonly kind: 'hash'; readonly name: string; readonly buckets: number }
  /**
   * One-hot over all combinations of the values of booleans and categories of the same context, the last one's varying
   * fastest, false before true; all zeros where one of them is. Not read from a request itself.
   */
  | { readonly kind: 'cross'; readonly name: string; readonly of: readonly string[] };

/** What can be crossed: each request has one of few values of it. */
export type Crossable = Extract<Feature, { readonly kind: 'boolean' | 'category' }>;

/** One part of a layout and what may stand there. */
export interface Aspect {
  readonly name: string;
  /** At least two. */
  readonly variants: readonly string[];
}

/** Says that the arms are all combinations of variants of aspects (layout.ts), and what a model of them is made of. */
export interface Layout {
  /** Fixed for an experiment's life. */
  readonly aspects: readonly Aspect[];
  /**
   * Pairs whose combinations have an effect of their own: two aspects, or an aspect and a feature of the context.
   * May change: they shape models and never the sums.
   */
  readonly crosses: readonly (readonly [string, string])[];
}

export const FOLDS = ['sum', 'max', 'min', 'first', 'last', 'mean'] as const;
export type Fold = (typeof FOLDS)[number];

/** One metric that an experiment learns from. */
export interface Metric {
  /** How several rewards of one decision become one number. */
  readonly fold: Fold;
  /** What stands for that number while there is none. */
  readonly default: number;
}

/**
 * What decisions count for while rewards may still come.
 *
 * `impute`: each for its value, metrics without a reward having their defaults. `labelled`: only those with a reward.
 * `mature`: as imputed, in cohorts whose attribution windows are over. `delay-corrected`: n for the share of rewards that
 * has had time to come (learning/delay.ts), Σr as it is.
 */
export const DELAY_MODES = ['impute', 'labelled', 'mature', 'delay-corrected'] as const;
export type DelayMode = (typeof DELAY_MODES)[number];

export interface RewardSpec {
  /** By name; at least one, each of them read by the formula. */
  readonly metrics: ReadonlyMap<string, Metric>;
  /** What a slot is worth, over the names of join/reward-formula.ts. */
  readonly value: Formula;
  /** Declared range of the value; mapped to [0, 1], clipped and counted outside it. */
  readonly min: number;
  readonly max: number;
  readonly delay: DelayMode;
}

/** By log order, of the decisions that a reward fits: the first, the last, or every one up to a limit (join/attribution.ts). */
export const ATTRIBUTION_MODELS = ['last-touch', 'first-touch', 'every-decision'] as const;
export type AttributionModel = (typeof ATTRIBUTION_MODELS)[number];

export interface AttributionSpec {
  /** Which decisions a reward belongs to; one that names its decision fits no other. */
  readonly model: AttributionModel;
  /** A reward counts when 0 ≤ occurredAt − decidedAt ≤ windowMs. */
  readonly windowMs: number;
}

/** How older cohorts count less when a snapshot is built. Ages are in decision time, from the newest cohort. */
export interface Forgetting {
  /** `half-life`: a cohort's sums count half after each span. `window`: cohorts older than the span do not count. */
  readonly kind: 'half-life' | 'window';
  readonly spanMs: number;
  /** First definition version since which it forgets, in whatever way; before it, old cohorts may have been rolled up. */
  readonly sinceVersion: number;
}

/** A share of the units that always gets one arm, so that what learning is worth can be measured against it. */
export interface Holdout {
  /** Of the units, in [0, HOLDOUT_SHARE_MAX]. */
  readonly share: number;
  readonly armId: ArmId;
}

export const HOLDOUT_SHARE_MAX = 0.5;

/** Sums that an arm starts with, as if these observations had been learned: rewards in [0, 1], features as encoded. */
export interface ArmPrior {
  readonly armId: ArmId;
  /** Observations; not always whole, at least 0. */
  readonly n: number;
  /** Σr, 0 to n. */
  readonly sumR: number;
  /** Σr², (Σr)²/n to Σr. */
  readonly sumRR: number;
  /** From VECTOR_START on as the sums have it (sums/layout.ts); empty when nothing is known of the contexts. */
  readonly contextSums: readonly number[];
}

/**
 * A definition that has taken over, so that all decisions, of earlier versions too, are learned by it. Its sums have a line of
 * their own, which begins with what a replay by it has learned up to the cuts.
 */
export interface Promotion {
  /** Of this promotion alone: 12 hexadecimal digits. */
  readonly label: string;
  /** The topic where its tallies stand; learners of another one begin the line with the log. */
  readonly tallies: string;
  /** By input partition: offsets that some owner has published, and the log clocks there. */
  readonly cuts: readonly { readonly offsets: PerStream; readonly clocks: PerStream }[];
}

export interface Experiment {
  readonly id: ExperimentId;
  /** From 1, raised by one with each applied change. */
  readonly version: number;
  readonly state: 'active' | 'deleted';
  /** In order of definition; never shrinks. */
  readonly arms: readonly Arm[];
  /** `null` where arms are named one by one. With a layout, sums are counts by pattern of the context (patterns.ts). */
  readonly layout: Layout | null;
  /** The first is the default; all learn from the same sums. */
  readonly policies: readonly PolicySpec[];
  /** Share of probability spread evenly over the eligible arms, in [0, 1]. */
  readonly floor: number;
  readonly fallbackArmId: ArmId;
  /** The most arms that one decision may deal; at least 1. */
  readonly slots: number;
  /** Units kept out for comparison; `null` for none. */
  readonly holdout: Holdout | null;
  readonly context: readonly Feature[];
  readonly reward: RewardSpec;
  readonly attribution: AttributionSpec;
  /** Width of a decision-time cohort. */
  readonly cohortMs: number;
  /** `null` to count all cohorts alike. May change: it weighs sums and never changes them. */
  readonly forgetting: Forgetting | null;
  /** By arm, each at most once. May change: snapshots add it to the sums, tallies and digested sums do not have it. */
  readonly prior: readonly ArmPrior[];
  /** Whether each decider counts what it has dealt since the snapshot (deciding/pending-exposures.ts). May change. */
  readonly pendingExposure: boolean;
  /** The last one; `null` while sums have been learned by the first version's meaning. */
  readonly promotion: Promotion | null;
  /**
   * Append time of each version's record on the experiments topic, by version − 1. A decision appended before the
   * version it names is refused, so what a learner accepts is a function of the logs, not of what it had read by then.
   */
  readonly appliedAtMs: readonly number[];
}

/** @returns under what id the sums of a definition stand: those of two lines never mix. */
export function lineOf({ id, promotion }: Pick<Experiment, 'id' | 'promotion'>): ExperimentId {
  return promotion === null ? id : (`${id}#${promotion.label}` as ExperimentId);
}

/** @returns the lines of all definitions that were promoted, sorted. */
export function promotedLines(experiments: Iterable<Experiment>): ExperimentId[] {
  return [...experiments].flatMap((one) => (one.promotion === null ? [] : [lineOf(one)])).sort();
}

/** @returns the experiment whose line that is. */
export function experimentOfLine(line: ExperimentId): ExperimentId {
  return line.replace(/#[0-9a-f]{12}$/, '') as ExperimentId;
}

/** Made once for each list of arms: there may be thousands, and every event asks for some. */
const byId = new WeakMap<readonly Arm[], ReadonlyMap<ArmId, Arm>>();

export function armOf({ arms }: Pick<Experiment, 'arms'>, armId: ArmId): Arm | undefined {
  let found = byId.get(arms);
  if (found === undefined) {
    found = new Map(arms.map((arm) => [arm.id, arm]));
    byId.set(arms, found);
  }
  return found.get(armId);
}

/** Length of an encoded context: an intercept and the declared features; 0 without context. */
export function contextDimension(context: readonly Feature[]): number {
  return context.length === 0 ? 0 : featureStart(context.length, context);
}

/** Where the encoded numbers of a feature begin: after the intercept and the features before it. */
export function featureStart(at: number, context: readonly Feature[]): number {
  return context.slice(0, at).reduce((sum, before) => sum + featureWidth(before, context), 1);
}

/** How many numbers a feature encodes as. @param context all features, for a cross to find its own. */
export function featureWidth(feature: Feature, context: readonly Feature[]): number {
  switch (feature.kind) {
    case 'boolean':
    case 'number':
      return 1;
    case 'category':
      return feature.values.length;
    case 'hash':
      return feature.buckets;
    case 'cross':
      return feature.of.reduce((width, name) => width * valueCount(crossed(feature.name, name, context)), 1);
  }
}

/** @throws Invalid `context` when there is no feature of that name that can be crossed. */
export function crossed(crossName: string, name: string, context: readonly Feature[]): Crossable {
  const feature = context.find((candidate) => candidate.name === name);
  if (feature?.kind === 'boolean' || feature?.kind === 'category') return feature;
  throw new Invalid(
    'context',
    `feature ${crossName} crosses ${name}, allowed are booleans and categories of the context`,
  );
}

export function valueCount(feature: Crossable): number {
  return feature.kind === 'boolean' ? 2 : feature.values.length;
}

/** @throws Invalid naming the first field whose change would give the kept sums another meaning. */
export function assertCompatibleChange(before: Experiment, after: Experiment): void {
  assertSameAspects(before, after);
  const fixed = ['context', 'reward', 'attribution', 'cohortMs'] as const;
  for (const field of fixed) {
    const [was, is] = [shown(before[field]), shown(after[field])];
    if (was !== is) {
      throw new Invalid(
        'experiment-change',
        `experiment ${after.id}: ${field} cannot change from ${was} to ${is}; its sums would change their meaning. Define a new experiment id instead`,
      );
    }
  }
  const read = attributesRead(before.reward);
  for (const arm of before.arms) {
    const kept = armOf(after, arm.id);
    if (kept === undefined) {
      throw new Invalid('experiment-change', `experiment ${after.id}: arm ${arm.id} is missing; retire it instead`);
    }
    for (const attribute of read) {
      const [was, is] = [arm.attributes.get(attribute), kept.attributes.get(attribute)];
      if (was === is) continue;
      throw new Invalid(
        'experiment-change',
        `experiment ${after.id}: ${attribute} of arm ${arm.id} cannot change from ${was} to ${is}; its rewards would ` +
          'change their meaning. Add a new arm instead',
      );
    }
  }
}

/** The attributes of arms that the reward's formula reads. */
export function attributesRead({ value }: RewardSpec): string[] {
  return namesOf(value.expression)
    .filter((name) => name.startsWith('arm.'))
    .map((name) => name.slice('arm.'.length));
}

/** A formula is shown by its text, from which all else of it comes. */
function shown(field: Experiment['context' | 'reward' | 'attribution' | 'cohortMs']): string {
  return JSON.stringify(field, (key, value: unknown) => {
    if (key === 'expression') return undefined;
    return value instanceof Map ? [...value].sort(([a], [b]) => (a < b ? -1 : 1)) : value;
  });
}

/** Counts by pattern of the context are kept from the start or never, and an arm stands for its variants by its place. */
function assertSameAspects(before: Experiment, after: Experiment): void {
  const [was, is] = [before, after].map(({ layout }) => JSON.stringify(layout?.aspects ?? null));
  if (was === is) return;
  throw new Invalid(
    'experiment-change',
    `experiment ${after.id}: the aspects of its layout cannot change from ${was} to ${is}; what was learned so far was ` +
      'not kept by them. Define a new experiment id instead',
  );
}
