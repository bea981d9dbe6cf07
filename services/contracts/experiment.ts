/** Experiments between their core type and their Avro record. Not here: experiment files (experiment-file.ts). */
import type { ArmId, ExperimentId } from '../core/events.ts';
import {
  type Arm,
  ATTRIBUTION_MODELS,
  type AttributionSpec,
  contextDimension,
  DELAY_MODES,
  type Experiment,
  type Feature,
  type Fold,
  type Forgetting,
  HOLDOUT_SHARE_MAX,
  type Holdout,
  type Layout,
  type PolicySpec,
  type Promotion,
  type RewardSpec,
} from '../core/experiment.ts';
import { layoutArmIds } from '../core/layout.ts';
import { counted, finite, namedMap, sortedEntries, text, timeMs, whole } from './checks.ts';
import { layoutProblems } from './layout.ts';
import { ARMS_MAX, ASPECTS_MAX, DIMENSION_MAX, METRICS_MAX, SLOTS_MAX } from './limits.ts';
import { fromPrior, type PriorRecord, toPrior } from './prior.ts';
import { refuse } from './refusals.ts';
import { delayProblems, formulaProblems, rewardFormula } from './reward-formula.ts';

interface NamedNumber {
  readonly name: string;
  readonly value: number;
}
type FeatureRecord =
  | { readonly 'dev.croupier.v1.BooleanFeature': { readonly name: string } }
  | {
      readonly 'dev.croupier.v1.NumberFeature': {
        readonly name: string;
        readonly mean: number;
        readonly scale: number;
      };
    }
  | { readonly 'dev.croupier.v1.CategoryFeature': { readonly name: string; readonly values: readonly string[] } }
  | { readonly 'dev.croupier.v1.HashFeature': { readonly name: string; readonly buckets: number } }
  | { readonly 'dev.croupier.v1.CrossFeature': { readonly name: string; readonly of: readonly string[] } };

export interface ExperimentRecord {
  readonly id: string;
  readonly version: number;
  readonly state: 'active' | 'deleted';
  readonly arms: readonly ArmRecord[];
  readonly layout: LayoutRecord | null;
  readonly policies: readonly { readonly kind: string; readonly parameters: readonly NamedNumber[] }[];
  readonly floor: number;
  readonly fallbackArmId: string;
  readonly slots: number;
  readonly holdout: { readonly share: number; readonly armId: string } | null;
  readonly context: readonly FeatureRecord[];
  readonly reward: RewardRecord;
  readonly attribution: { readonly model: string; readonly windowMs: number };
  readonly cohortMs: number;
  readonly forgetting: {
    readonly kind: 'half_life' | 'window';
    readonly spanMs: number;
    readonly sinceVersion: number;
  } | null;
  readonly prior: readonly PriorRecord[];
  readonly pendingExposure: boolean;
  readonly promotion: PromotionRecord | null;
  readonly appliedAtMs: readonly number[];
}
interface PromotionRecord {
  readonly label: string;
  readonly tallies: string;
  readonly cuts: readonly {
    readonly decisions: number;
    readonly rewards: number;
    readonly decisionsClock: number;
    readonly rewardsClock: number;
  }[];
}
interface ArmRecord {
  readonly id: string;
  readonly state: 'active' | 'retired';
  readonly sinceVersion: number;
  readonly attributes: readonly NamedNumber[];
}
interface LayoutRecord {
  readonly aspects: readonly { readonly name: string; readonly variants: readonly string[] }[];
  readonly crosses: readonly { readonly first: string; readonly second: string }[];
}
interface RewardRecord {
  readonly metrics: readonly { readonly name: string; readonly fold: Fold; readonly default: number }[];
  readonly value: string;
  readonly min: number;
  readonly max: number;
  readonly delay: string;
}

/** The append time of this version's own record is not known when it is written: readers add it. */
export function toExperiment(experiment: Experiment): ExperimentRecord {
  const { reward } = experiment;
  const record: ExperimentRecord = {
    ...experiment,
    arms: experiment.arms.map((arm) => ({ ...arm, attributes: sortedEntries(arm.attributes) })),
    layout: toLayout(experiment.layout),
    policies: experiment.policies.map(({ kind, parameters }) => ({ kind, parameters: sortedEntries(parameters) })),
    context: experiment.context.map(toFeature),
    reward: {
      ...reward,
      metrics: sortedEntries(reward.metrics).map(({ name, value }) => ({ name, ...value })),
      value: reward.value.text,
      delay: symbolOf(reward.delay),
    },
    attribution: { ...experiment.attribution, model: symbolOf(experiment.attribution.model) },
    forgetting: toForgetting(experiment),
    prior: toPrior(experiment.prior),
    promotion: toPromotion(experiment.promotion),
    appliedAtMs: experiment.appliedAtMs.slice(0, experiment.version - 1),
  };
  fromExperiment(record);
  return record;
}

/** @returns the definition with the append times of its earlier versions only: readers add the record's own. */
export function fromExperiment(raw: ExperimentRecord): Experiment {
  const version = whole('version', raw.version, { min: 1 });
  const appliedAtMs = raw.appliedAtMs.map((time) => timeMs('appliedAtMs', time));
  if (appliedAtMs.length !== version - 1) {
    refuse(
      'contradictory',
      `${appliedAtMs.length} append times of earlier versions, version ${version} has ${version - 1}`,
    );
  }
  const arms = fromArms(raw.arms, version);
  const context = fromContext(raw.context);
  const layout = fromLayout(raw.layout, arms, context);
  const fallback = arms.find((arm) => arm.id === raw.fallbackArmId);
  if (fallback === undefined) refuse('contradictory', `fallback arm ${raw.fallbackArmId} is none of the arms`);
  return {
    id: text('id', raw.id) as ExperimentId,
    version,
    state: raw.state,
    arms,
    layout,
    policies: fromPolicies(raw),
    floor: finite('floor', raw.floor, { min: 0, max: 1 }),
    fallbackArmId: fallback.id,
    slots: whole('slots', raw.slots, { min: 1, max: SLOTS_MAX }),
    holdout: fromHoldout(raw.holdout, arms),
    context,
    reward: fromReward(raw.reward, arms, context),
    attribution: fromAttribution(raw.attribution),
    cohortMs: whole('cohortMs', raw.cohortMs, { min: 1 }),
    forgetting: fromForgetting(raw),
    prior: fromPrior(raw.prior, arms, { layout, context }),
    pendingExposure: raw.pendingExposure,
    promotion: fromPromotion(raw.promotion),
    appliedAtMs,
  };
}

function toPromotion(promotion: Promotion | null): PromotionRecord | null {
  if (promotion === null) return null;
  const cuts = promotion.cuts.map(({ offsets, clocks }) => {
    return { ...offsets, decisionsClock: clocks.decisions, rewardsClock: clocks.rewards };
  });
  return { ...promotion, cuts };
}

function fromPromotion(raw: PromotionRecord | null): Promotion | null {
  if (raw === null) return null;
  if (!/^[0-9a-f]{12}$/.test(raw.label)) {
    refuse('contradictory', `promotion ${JSON.stringify(raw.label)}, allowed 12 hexadecimal digits`);
  }
  const cuts = raw.cuts.map((cut) => ({
    offsets: {
      decisions: whole('offset of decisions', cut.decisions, { min: 0 }),
      rewards: whole('offset of rewards', cut.rewards, { min: 0 }),
    },
    clocks: {
      // 0 before the first record.
      decisions: whole('clock of decisions', cut.decisionsClock, { min: 0 }),
      rewards: whole('clock of rewards', cut.rewardsClock, { min: 0 }),
    },
  }));
  return { label: raw.label, tallies: text('tallies', raw.tallies), cuts };
}

function toLayout(layout: Layout | null): LayoutRecord | null {
  if (layout === null) return null;
  return { aspects: layout.aspects, crosses: layout.crosses.map(([first, second]) => ({ first, second })) };
}

function fromLayout(raw: LayoutRecord | null, arms: readonly Arm[], context: readonly Feature[]): Layout | null {
  if (raw === null) return null;
  const layout: Layout = {
    aspects: counted('number-range', 'aspects', raw.aspects, 1, ASPECTS_MAX).map(({ name, variants }) => ({
      name: text('aspect', name),
      variants: variants.map((variant) => text('variant', variant)),
    })),
    crosses: raw.crosses.map(({ first, second }) => [text('crossed name', first), text('crossed name', second)]),
  };
  const [problem] = layoutProblems(layout, context);
  if (problem !== undefined) refuse('contradictory', `${problem.path.join(' ')}: ${problem.allowed}`);
  const ids = layoutArmIds(layout.aspects);
  const stranger = ids.findIndex((id, arm) => arms[arm]?.id !== id);
  if (arms.length === ids.length && stranger < 0) return layout;
  refuse(
    'contradictory',
    `${arms.length} arms, the layout makes ${ids.length}${stranger < 0 ? '' : `; arm ${stranger} must be ${ids[stranger]}`}`,
  );
}

function fromHoldout(raw: ExperimentRecord['holdout'], arms: readonly Arm[]): Holdout | null {
  if (raw === null) return null;
  const arm = arms.find(({ id }) => id === raw.armId);
  if (arm === undefined) refuse('contradictory', `holdout arm ${raw.armId} is none of the arms`);
  return { share: finite('holdout share', raw.share, { min: 0, max: HOLDOUT_SHARE_MAX }), armId: arm.id };
}

/** Avro's symbols have no hyphens. */
function symbolOf(name: string): string {
  return name.replaceAll('-', '_');
}

function fromAttribution(raw: ExperimentRecord['attribution']): AttributionSpec {
  const model = ATTRIBUTION_MODELS.find((candidate) => symbolOf(candidate) === raw.model);
  if (model === undefined)
    refuse('contradictory', `attribution ${raw.model}, allowed ${ATTRIBUTION_MODELS.join(', ')}`);
  return { model, windowMs: whole('windowMs', raw.windowMs, { min: 1 }) };
}

function toForgetting({ forgetting, version }: Experiment): ExperimentRecord['forgetting'] {
  if (forgetting === null) return null;
  const kind = forgetting.kind === 'half-life' ? 'half_life' : 'window';
  return { kind, spanMs: forgetting.spanMs, sinceVersion: sinceVersion(forgetting, version) };
}

function fromForgetting({ forgetting, version }: ExperimentRecord): Forgetting | null {
  if (forgetting === null) return null;
  return {
    kind: forgetting.kind === 'half_life' ? 'half-life' : 'window',
    spanMs: whole('forgetting spanMs', forgetting.spanMs, { min: 1 }),
    sinceVersion: sinceVersion(forgetting, version),
  };
}

function sinceVersion(forgetting: Pick<Forgetting, 'sinceVersion'>, version: number): number {
  return whole('forgetting sinceVersion', forgetting.sinceVersion, { min: 1, max: version });
}

function fromArms(raw: readonly ArmRecord[], version: number): readonly Arm[] {
  const ids = new Set<string>();
  return counted('number-range', 'arms', raw, 1, ARMS_MAX).map((arm) => {
    if (ids.has(arm.id)) refuse('contradictory', `arm ${arm.id} stands twice`);
    ids.add(arm.id);
    return {
      id: text('arm id', arm.id) as ArmId,
      state: arm.state,
      sinceVersion: whole('sinceVersion', arm.sinceVersion, { min: 1, max: version }),
      attributes: numbers('attribute', arm.attributes),
    };
  });
}

function fromPolicies({ policies }: ExperimentRecord): readonly PolicySpec[] {
  return counted('number-range', 'policies', policies, 1, Number.MAX_SAFE_INTEGER).map(({ kind, parameters }) => ({
    kind: text('policy kind', kind),
    parameters: numbers('parameter', parameters),
  }));
}

function numbers(what: string, raw: readonly NamedNumber[]): ReadonlyMap<string, number> {
  return namedMap(
    what,
    raw.map(({ name, value }) => ({ name, value: finite(`${what} ${name}`, value) })),
  );
}

function toFeature(feature: Feature): FeatureRecord {
  switch (feature.kind) {
    case 'boolean':
      return { 'dev.croupier.v1.BooleanFeature': feature };
    case 'number':
      return { 'dev.croupier.v1.NumberFeature': feature };
    case 'category':
      return { 'dev.croupier.v1.CategoryFeature': feature };
    case 'hash':
      return { 'dev.croupier.v1.HashFeature': feature };
    case 'cross':
      return { 'dev.croupier.v1.CrossFeature': feature };
  }
}

function fromContext(raw: readonly FeatureRecord[]): readonly Feature[] {
  const context = raw.map(fromFeature);
  const crossable = new Set(
    context.filter(({ kind }) => kind === 'boolean' || kind === 'category').map(({ name }) => name),
  );
  for (const feature of context) {
    if (feature.kind !== 'cross') continue;
    const stranger = feature.of.find((name) => !crossable.has(name));
    if (stranger === undefined) continue;
    refuse(
      'contradictory',
      `feature ${feature.name} crosses ${stranger}, which is no boolean or category of the context`,
    );
  }
  const dimension = contextDimension(context);
  if (dimension > DIMENSION_MAX) {
    refuse('number-range', `context encodes to ${dimension} numbers, allowed ${DIMENSION_MAX}`);
  }
  return context;
}

function fromFeature(raw: FeatureRecord): Feature {
  if ('dev.croupier.v1.BooleanFeature' in raw) {
    return { kind: 'boolean', name: text('feature name', raw['dev.croupier.v1.BooleanFeature'].name) };
  }
  if ('dev.croupier.v1.NumberFeature' in raw) {
    const { name, mean, scale } = raw['dev.croupier.v1.NumberFeature'];
    return {
      kind: 'number',
      name: text('feature name', name),
      mean: finite('mean', mean),
      scale: finite('scale', scale, { min: Number.MIN_VALUE }),
    };
  }
  if ('dev.croupier.v1.HashFeature' in raw) {
    const { name, buckets } = raw['dev.croupier.v1.HashFeature'];
    return {
      kind: 'hash',
      name: text('feature name', name),
      buckets: whole('buckets', buckets, { min: 2, max: DIMENSION_MAX }),
    };
  }
  if ('dev.croupier.v1.CrossFeature' in raw) {
    const { name, of } = raw['dev.croupier.v1.CrossFeature'];
    return { kind: 'cross', name: text('feature name', name), of: distinct(`features that ${name} crosses`, of, 2) };
  }
  const { name, values } = raw['dev.croupier.v1.CategoryFeature'];
  return {
    kind: 'category',
    name: text('feature name', name),
    values: distinct(`values of feature ${name}`, values, 1),
  };
}

function distinct(what: string, names: readonly string[], min: number): readonly string[] {
  if (names.length < min || new Set(names).size !== names.length) {
    refuse('contradictory', `${what}: at least ${min}, each once`);
  }
  return names.map((name) => text(what, name));
}

function fromReward(raw: RewardRecord, arms: readonly Arm[], context: readonly Feature[]): RewardSpec {
  const min = finite('min', raw.min);
  const max = finite('max', raw.max);
  if (!(min < max)) refuse('contradictory', `reward min ${min} is not below max ${max}`);
  const metrics = namedMap(
    'metric',
    counted('number-range', 'metrics', raw.metrics, 1, METRICS_MAX).map(({ name, fold, default: missing }) => ({
      name,
      value: { fold, default: finite(`default of ${name}`, missing) },
    })),
  );
  const value = rewardFormula(raw.value, metrics);
  const [problem] = formulaProblems(value, { metrics, arms, context });
  if (problem !== undefined) refuse('contradictory', `reward ${JSON.stringify(raw.value)}: ${problem}`);
  const delay = DELAY_MODES.find((mode) => symbolOf(mode) === raw.delay);
  if (delay === undefined) refuse('contradictory', `delay ${raw.delay}, allowed ${DELAY_MODES.join(', ')}`);
  const reward = { metrics, value, min, max, delay };
  const [unsound] = delayProblems(reward, arms);
  if (unsound !== undefined) refuse('contradictory', `reward delay ${delay}: ${unsound}`);
  return reward;
}
