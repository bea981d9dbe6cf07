/**
 * What the product services put into the log: the events of a plan, in its order and at its times. Owns the log's clock and a
 * copy of all that was appended, with the definitions as they came to stand, for the truth.
 */
import type { Codecs } from '../../../services/contracts/codec.ts';
import { topicNames } from '../../../services/contracts/keys.ts';
import type { ArmId, DecisionId, ExperimentId, Stream } from '../../../services/core/events.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import type { JoinLimits } from '../../../services/core/join/group.ts';
import { partitionOf } from '../../../services/platform/log/partitioner.ts';
import type { AppendRecord } from '../../../services/platform/log/port.ts';
import { decision, experiment, reward, T0 } from '../../support/core.ts';
import { rewardSpec } from '../../support/reward-spec.ts';
import { TRAFFIC_LIMITS } from '../../support/traffic.ts';
import { type EventSpec, EXPERIMENTS, type Plan } from './plan.ts';
import { type Inputs, type Recorded, Truth } from './truth.ts';

type Append = (topic: string, partition: number, record: AppendRecord) => void;

const TOPICS = topicNames();
const UNKNOWN_VERSION = 1_000;
const UNIT_SPAN_MS = 5_000;
const MODELS = ['last-touch', 'every-decision', 'first-touch'] as const;
const FOLDS = ['first', 'last', 'mean', 'sum'] as const;
/** What corrects for delays keeps the sums of `impute` too. */
const DELAYS = ['delay-corrected', 'impute', 'labelled', 'mature'] as const;

export class Feed {
  logNowMs = T0;
  private readonly codecs: Codecs;
  private readonly append: Append;
  private readonly inputs: readonly Inputs[];
  private readonly limits: JoinLimits;
  private readonly definitions = new Map<ExperimentId, Experiment[]>();
  private known: { readonly records: number; readonly truth: Truth } | null = null;
  private records = 0;

  constructor(plan: Plan, codecs: Codecs, append: Append) {
    this.codecs = codecs;
    this.append = append;
    this.limits = limitsOf(plan);
    this.inputs = Array.from({ length: plan.partitions }, () => ({ decisions: [], rewards: [] }));
  }

  defineAll(): void {
    for (let index = 0; index < EXPERIMENTS; index++) {
      const definition = { ...definitionOf(index, 0), appliedAtMs: [] };
      this.append(TOPICS.experiments, 0, { key: definition.id, value: this.codecs.experiment.encode(definition) });
    }
  }

  /** @returns what an operator is to make of an experiment; nothing for the events of services. */
  play(event: EventSpec): (() => Experiment) | null {
    this.logNowMs += event.gapMs;
    switch (event.kind) {
      case 'decision':
        this.decide(event);
        break;
      case 'reward':
        this.reward(event);
        break;
      case 'garbage':
        this.put(event.topic, event.unit, Buffer.from('not Avro'), null);
        break;
      case 'define':
        return () => changed(this.newest(event.experiment), event.change);
      case 'promote':
        return () => ({ ...definitionOf(event.experiment, event.variant), arms: this.newest(event.experiment).arms });
    }
    return null;
  }

  /** Call with every definition that was appended. @throws Error when its version was there already. */
  defined(written: Experiment): void {
    const versions = this.definitions.get(written.id) ?? [];
    if (written.version !== versions.length + 1)
      throw new Error(`${written.id} version ${written.version} was appended after version ${versions.length}`);
    const experiment = { ...written, appliedAtMs: [...written.appliedAtMs, this.logNowMs] };
    this.definitions.set(experiment.id, [...versions, experiment]);
    this.records += 1;
  }

  /** Of what was appended so far. */
  truth(): Truth {
    if (this.known?.records !== this.records) {
      this.known = { records: this.records, truth: new Truth(this.inputs, this.definitions, this.limits) };
    }
    return this.known.truth;
  }

  private decide(spec: Extract<EventSpec, { kind: 'decision' }>): void {
    const { id, version } = this.newest(spec.experiment);
    const made = decision({
      id: spec.id,
      unit: spec.unit,
      atMs: this.logNowMs + spec.skewMs,
      experimentId: id,
      experimentVersion: spec.unknownVersion ? UNKNOWN_VERSION : version,
      slots: [{ armId: spec.arm as ArmId, propensity: 0.25 }],
      reason: spec.shadow ? 'shadow' : 'bandit',
    });
    this.put('decisions', spec.unit, this.codecs.decision.encode(made), (clockMs) => ({
      stream: 'decisions',
      clockMs,
      decision: made,
    }));
  }

  private reward(spec: Extract<EventSpec, { kind: 'reward' }>): void {
    const won = reward({
      id: spec.id,
      unit: spec.unit,
      revision: spec.revision,
      value: spec.value,
      atMs: this.logNowMs + spec.skewMs,
      decisionId: spec.decision as DecisionId | null,
      experimentId: spec.experiment === null ? null : idOf(spec.experiment),
    });
    this.put('rewards', spec.unit, this.codecs.reward.encode(won), (clockMs) => ({
      stream: 'rewards',
      clockMs,
      reward: won,
    }));
  }

  private put(
    stream: Stream,
    unit: string,
    value: Buffer,
    event: ((clockMs: number) => Recorded['event']) | null,
  ): void {
    const partition = partitionOf(unit, this.inputs.length);
    const appendTimeMs = this.logNowMs;
    this.inputs[partition]![stream].push({ stream, appendTimeMs, event: event?.(appendTimeMs) ?? null });
    this.records += 1;
    this.append(TOPICS[stream], partition, { key: unit, value });
  }

  private newest(index: number): Experiment {
    return this.definitions.get(idOf(index))!.at(-1)!;
  }
}

export function limitsOf({ settings: { unitEventsMax } }: Plan): JoinLimits {
  return { ...TRAFFIC_LIMITS, unitEventsMax, unitSpanMs: UNIT_SPAN_MS };
}

function idOf(index: number): ExperimentId {
  return `experiment-${index}` as ExperimentId;
}

const CORRECTED_FOLDS = ['first', 'max'] as const;

/** @param variant 0 for the one that stands first. */
function definitionOf(index: number, variant: number): Experiment {
  const among = <T>(choices: readonly T[], by: number): T => choices[(index + by) % choices.length]!;
  const delay = among(DELAYS, variant >>> 2);
  // What follows a first reward is not corrected for.
  const folds = delay === 'delay-corrected' ? CORRECTED_FOLDS : FOLDS;
  return experiment({
    id: idOf(index),
    policies: [{ kind: 'ucb1', parameters: new Map() }],
    attribution: { model: among(MODELS, variant), windowMs: variant % 2 === 0 ? 2_000 : 1_500 },
    cohortMs: variant % 3 === 0 ? 1_000 : 700,
    reward: rewardSpec({ metrics: { click: { fold: among(folds, variant >>> 1) } }, delay }),
  });
}

/** @returns what is wanted, as a file says it. */
function changed(standing: Experiment, change: 'arm' | 'floor'): Experiment {
  if (change === 'floor') return { ...standing, floor: standing.floor === 0 ? 0.1 : 0 };
  const id = 'C' as ArmId;
  if (standing.arms.some((arm) => arm.id === id)) return standing;
  return { ...standing, arms: [...standing.arms, { id, state: 'active', sinceVersion: 1, attributes: new Map() }] };
}
