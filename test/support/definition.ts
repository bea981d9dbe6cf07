/**
 * What the sums must be, by definition: every reward of a unit held against every slot of every decision of it, and the
 * sums added up from nothing. Slow, and written apart from core/join on purpose.
 */
import type { Context, ContextValue } from '../../services/core/context.ts';
import { encodeContext, hashBucket } from '../../services/core/deciding/encode-context.ts';
import type { InputEvent, Slot } from '../../services/core/events.ts';
import { type Experiment, type Feature, type Fold, lineOf } from '../../services/core/experiment.ts';
import { evaluate } from '../../services/core/expressions/expression.ts';
import type { DecisionEntry, Group, JoinLimits, RewardEntry } from '../../services/core/join/group.ts';
import type { Outcome } from '../../services/core/join/worth.ts';
import type { Rules } from '../../services/core/learning/partition.ts';
import { type CountedPattern, PartitionSums } from '../../services/core/learning/sums.ts';
import { FEATURE_UNITS } from '../../services/core/quantize.ts';

/** @param groups from which nothing was ever dropped. */
export function sumsByDefinition(groups: Iterable<Group>, { experiments, limits }: Rules): PartitionSums {
  const sums = new PartitionSums();
  for (const { decisions, rewards } of groups) {
    for (const decision of decisions) {
      const experiment = experiments.get(decision.experimentId)!;
      const decidedAtMs = Math.min(decision.decidedAtMs, decision.clockMs + limits.earlyGraceMs);
      const cohort = Math.floor(decidedAtMs / experiment.cohortMs);
      const corrected = experiment.reward.delay === 'delay-corrected';
      const tick = Math.floor((decidedAtMs / experiment.cohortMs - cohort) * 16);
      const delays = corrected ? { tick, windowMs: experiment.attribution.windowMs } : null;
      const own = rewards.filter((reward) => ownersOf(reward, decisions, experiment, limits).includes(decision));
      for (const slot of decision.slots) {
        const after = outcomeOf({ decision, slot, own }, experiment, limits);
        const counted = countedPattern(decision, experiment);
        sums.apply({ line: lineOf(experiment), decision, slot, cohort, delays, counted, before: null, after });
      }
    }
  }
  return sums;
}

/** What is learned from at all: the first so many events of a unit in each stretch of its stream. */
export function notCrowded(events: readonly InputEvent[], { limits }: Rules): InputEvent[] {
  const placeOf = (event: InputEvent) => {
    const { unitId } = event.stream === 'decisions' ? event.decision : event.reward;
    return JSON.stringify([event.stream, unitId, Math.floor(event.clockMs / limits.unitSpanMs)]);
  };
  return events.filter((event, at) => {
    const before = events.slice(0, at).filter((other) => placeOf(other) === placeOf(event));
    return before.length < limits.unitEventsMax;
  });
}

/**
 * The records that stand for themselves: those before which no other of their id stands, in the same stream, for as long
 * as it is known.
 * @param events none of which is crowded.
 */
export function firstRecords(events: readonly InputEvent[], { limits }: Rules): InputEvent[] {
  const reachMs = limits.windowMs + limits.graceMs;
  const idOf = (event: InputEvent) => {
    const { unitId } = event.stream === 'decisions' ? event.decision : event.reward;
    const id = event.stream === 'decisions' ? event.decision.decisionId : event.reward.rewardId;
    return JSON.stringify([event.stream, unitId, id]);
  };
  return events.filter((event, at) => {
    const knownMs = event.stream === 'decisions' ? reachMs : reachMs + 2 * limits.earlyGraceMs;
    const earlier = events.slice(0, at).filter((other) => idOf(other) === idOf(event));
    return earlier.every(({ clockMs }) => event.clockMs - clockMs > knownMs);
  });
}

/** The place, among all contexts that there are, of the one that encodes as the decision's features. */
function countedPattern(decision: DecisionEntry, { layout, context }: Experiment): CountedPattern | null {
  if (layout === null) return null;
  const encoded = allContexts(context).map((values) => encodeContext(context, values).features);
  const is = (x: Float64Array) => decision.features.every((units, i) => units === x[i]! * FEATURE_UNITS);
  return { pattern: encoded.findIndex(is), patterns: encoded.length };
}

/** One of each kind: an undeclared category first, then the declared ones; false before true. */
export function allContexts(context: readonly Feature[]): Context[] {
  return context.reduce<Context[]>(
    (all, feature) =>
      all.flatMap((values) => valuesOf(feature).map((value) => new Map([...values, [feature.name, value]]))),
    [new Map()],
  );
}

function valuesOf(feature: Feature): ContextValue[] {
  switch (feature.kind) {
    case 'boolean':
      return [false, true];
    case 'category':
      return ['no declared value', ...feature.values];
    case 'cross':
      return ['not read'];
    case 'hash':
      return Array.from({ length: feature.buckets }, (_, bucket) => {
        const texts = Array.from({ length: 1_000 }, (_text, text) => String(text));
        return texts.find((text) => hashBucket(feature, text) === bucket)!;
      });
    case 'number':
      throw new Error(`${feature.name} has no countable values`);
  }
}

/** Whose a reward is in one experiment. */
function ownersOf(
  reward: RewardEntry,
  decisions: readonly DecisionEntry[],
  experiment: Experiment,
  limits: JoinLimits,
): DecisionEntry[] {
  const fitting = decisions.filter((decision) => fits(reward, decision, experiment, limits));
  switch (experiment.attribution.model) {
    case 'last-touch':
      return fitting.slice(-1);
    case 'first-touch':
      return fitting.slice(0, 1);
    case 'every-decision':
      return fitting.slice(-100);
  }
}

function fits(
  { facts: { metric, experimentId, decisionId, armId, occurredAtMs }, records: [first] }: RewardEntry,
  decision: DecisionEntry,
  experiment: Experiment,
  limits: JoinLimits,
): boolean {
  const delayMs = occurredAtMs - decision.decidedAtMs;
  const appendedAfterMs = first.clockMs - decision.clockMs;
  if (decision.experimentId !== experiment.id) return false;
  if (![...experiment.reward.metrics.keys()].includes(metric)) return false;
  if (experimentId !== null && experimentId !== decision.experimentId) return false;
  if (decisionId !== null && decisionId !== decision.decisionId) return false;
  if (armId !== null && !decision.slots.map((slot) => slot.armId).includes(armId)) return false;
  if (delayMs < 0 || delayMs > experiment.attribution.windowMs) return false;
  return appendedAfterMs >= -limits.earlyGraceMs && appendedAfterMs <= limits.windowMs + limits.graceMs;
}

interface SlotOfDecision {
  readonly decision: DecisionEntry;
  readonly slot: Slot;
  readonly own: readonly RewardEntry[];
}

function outcomeOf(given: SlotOfDecision, experiment: Experiment, limits: JoinLimits): Outcome {
  const { reward } = experiment;
  const values = new Map([...reward.metrics.keys()].map((metric) => [metric, valuesOfMetric(metric, given, limits)]));
  const firstDelayMs = reward.delay === 'delay-corrected' ? firstDelayOf(given, experiment, limits) : null;
  if (reward.delay === 'labelled' && [...values.values()].every((own) => own.length === 0)) {
    return { rewardUnits: null, firstDelayMs, clipped: false };
  }
  const value = evaluate(reward.value.expression, (name) => numberOf(name, given, values, experiment));
  const scaled = (value - reward.min) / (reward.max - reward.min);
  if (Number.isNaN(scaled)) return { rewardUnits: 0, firstDelayMs, clipped: true };
  const bounded = scaled < 0 ? 0 : scaled > 1 ? 1 : scaled;
  return { rewardUnits: Math.round(bounded * 2 ** 20), firstDelayMs, clipped: scaled !== bounded };
}

/** Of the first of the rewards that are not taken back. */
function firstDelayOf(
  { decision, slot, own }: SlotOfDecision,
  { reward: { metrics } }: Experiment,
  limits: JoinLimits,
): number | null {
  const delays = own
    .filter((one) =>
      [...metrics.keys()].some((name) => valuesOfMetric(name, { decision, slot, own: [one] }, limits).length > 0),
    )
    .map(({ facts }) => facts.occurredAtMs - decision.decidedAtMs);
  return delays.toSorted((a, b) => a - b)[0] ?? null;
}

function valuesOfMetric(wanted: string, { decision, slot, own }: SlotOfDecision, limits: JoinLimits): number[] {
  return own
    .filter(({ facts: { metric, armId } }) => metric === wanted && (armId === null || armId === slot.armId))
    .toSorted(({ facts: a }, { facts: b }) => a.occurredAtMs - b.occurredAtMs || (a.rewardId < b.rewardId ? -1 : 1))
    .flatMap(({ records }) => {
      const reaching = records.filter(({ clockMs }) => clockMs - decision.clockMs <= limits.windowMs + limits.graceMs);
      const value = reaching.toSorted((a, b) => a.revision - b.revision).at(-1)!.value;
      return value === null ? [] : [value];
    });
}

/** Of features, the numbers alone: as a request gave them, rounded to the grid. */
function numberOf(
  name: string,
  { decision, slot }: SlotOfDecision,
  values: ReadonlyMap<string, readonly number[]>,
  { arms, context, reward }: Experiment,
): number {
  const [source, own] = name.split('.') as [string, string];
  if (source === 'arm') return arms.find(({ id }) => id === slot.armId)!.attributes.get(own)!;
  if (source === 'metric') {
    const { fold: kind, default: byDefault } = reward.metrics.get(own)!;
    return values.get(own)!.length === 0 ? byDefault : fold(kind, values.get(own)!);
  }
  const feature = context.find((each) => each.name === own)!;
  const told = (value: ContextValue) => encodeContext(context, new Map([...NOBODY, [own, value]])).features;
  if (feature.kind === 'boolean') {
    const [no, yes] = [told(false), told(true)];
    const at = yes.findIndex((cell, i) => cell !== no[i]);
    return Number(decision.features[at] !== 0);
  }
  if (feature.kind !== 'number') throw new Error(`${name} is no number`);
  const [low, high] = [told(feature.mean), told(feature.mean + feature.scale)];
  const at = high.findIndex((cell, i) => cell !== low[i]);
  return (decision.features[at]! / FEATURE_UNITS) * feature.scale + feature.mean;
}

/** Some value of each feature that the properties' contexts have. */
const NOBODY: Context = new Map<string, ContextValue>([
  ['returning', false],
  ['country', 'nowhere'],
  ['age', 0],
]);

function fold(kind: Fold, values: readonly number[]): number {
  const sum = values.reduce((a, b) => a + b);
  switch (kind) {
    case 'sum':
      return sum;
    case 'mean':
      return sum / values.length;
    case 'max':
      return Math.max(...values);
    case 'min':
      return Math.min(...values);
    case 'first':
      return values[0]!;
    case 'last':
      return values[values.length - 1]!;
  }
}
