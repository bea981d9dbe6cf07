/**
 * What the formula of a reward may read, and where each number comes from: `metric.<name>` folded from the decision's
 * rewards, `arm.<attribute>`, `context.<feature>` as logged with the decision. Keeps for each definition how its names are
 * read, so that no event looks for them. Not here: what of a metric has come (worth.ts), and the formula's text (contracts).
 */
import type { ArmId } from '../events.ts';
import { type Arm, armOf, type Experiment, type Feature, featureStart, type RewardSpec } from '../experiment.ts';
import { evaluate, namesOf } from '../expressions/expression.ts';
import { FEATURE_UNITS } from '../quantize.ts';

/** What is known of a slot. */
export interface SlotFacts {
  readonly armId: ArmId;
  /** In feature units, length d. */
  readonly features: readonly number[];
  /** One for each metric, in order of the definition. */
  readonly folded: readonly number[];
}

type Read = (facts: SlotFacts) => number;

const READS = new WeakMap<Experiment, ReadonlyMap<string, Read>>();

/** @returns the value of the slot, perhaps not finite. */
export function slotValue(facts: SlotFacts, experiment: Experiment): number {
  let reads = READS.get(experiment);
  if (reads === undefined) {
    reads = new Map(namesOf(experiment.reward.value.expression).map((name) => [name, readOf(name, experiment)]));
    READS.set(experiment, reads);
  }
  const known = reads;
  return evaluate(experiment.reward.value.expression, (name) => known.get(name)!(facts));
}

export interface Declared {
  readonly metrics: RewardSpec['metrics'];
  readonly arms: readonly Pick<Arm, 'attributes'>[];
  readonly context: readonly Feature[];
}

/** @returns what a formula may read: metrics, attributes that every arm has, booleans (0 or 1) and numbers of the context. */
export function readableNames({ metrics, arms, context }: Declared): string[] {
  const attributes = [...(arms[0]?.attributes.keys() ?? [])];
  return [
    ...[...metrics.keys()].map((name) => `metric.${name}`),
    ...attributes.filter((name) => arms.every((arm) => arm.attributes.has(name))).map((name) => `arm.${name}`),
    ...context.filter(({ kind }) => kind === 'boolean' || kind === 'number').map(({ name }) => `context.${name}`),
  ];
}

function readOf(name: string, experiment: Experiment): Read {
  const dot = name.indexOf('.');
  const own = name.slice(dot + 1);
  switch (name.slice(0, dot)) {
    case 'metric': {
      const at = [...experiment.reward.metrics.keys()].indexOf(own);
      return ({ folded }) => folded[at]!;
    }
    case 'arm':
      return ({ armId }) => armOf(experiment, armId)!.attributes.get(own)!;
    default:
      return readFeature(own, experiment.context);
  }
}

/** A number is read in the units that requests give it in. */
function readFeature(name: string, context: readonly Feature[]): Read {
  const place = context.findIndex((feature) => feature.name === name);
  const feature = context[place]!;
  const at = featureStart(place, context);
  const { mean, scale } = feature.kind === 'number' ? feature : { mean: 0, scale: 1 };
  return ({ features }) => (features[at]! / FEATURE_UNITS) * scale + mean;
}
