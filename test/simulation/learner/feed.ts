/**
 * What the product services and operators put into the log: the events of a plan, in its order and at its times. Owns
 * the log's clock and a copy of all that it appended, for the truth.
 */
import type { Codecs } from '../../../services/contracts/codec.ts';
import { topicNames } from '../../../services/contracts/keys.ts';
import type { ArmId, DecisionId, ExperimentId, Stream } from '../../../services/core/events.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import { restated } from '../../../services/core/experiment-change.ts';
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
    for (let index = 0; index < EXPERIMENTS; index++) this.define({ ...definitionOf(index), appliedAtMs: [] });
  }

  play(event: EventSpec): void {
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
        this.define(changed(this.newest(event.experiment), event.change));
        break;
    }
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

  private define(definition: Experiment): void {
    const versions = this.definitions.get(definition.id) ?? [];
    this.definitions.set(definition.id, [
      ...versions,
      { ...definition, appliedAtMs: [...definition.appliedAtMs, this.logNowMs] },
    ]);
    this.records += 1;
    this.append(TOPICS.experiments, 0, { key: definition.id, value: this.codecs.experiment.encode(definition) });
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

function definitionOf(index: number): Experiment {
  return experiment({
    id: idOf(index),
    policies: [{ kind: 'ucb1', parameters: new Map() }],
    attribution: { model: MODELS[index % MODELS.length]!, windowMs: 2_000 },
    cohortMs: 1_000,
    reward: rewardSpec({
      metrics: { click: { fold: FOLDS[index % FOLDS.length]! } },
      delay: DELAYS[index % DELAYS.length]!,
    }),
  });
}

/** @returns the next version, as it is appended: without the append time of its own. */
function changed(standing: Experiment, change: 'arm' | 'floor' | 'restate'): Experiment {
  const next = restated(standing);
  switch (change) {
    case 'arm': {
      const id = 'C' as ArmId;
      if (standing.arms.some((arm) => arm.id === id)) return next;
      return {
        ...next,
        arms: [...next.arms, { id, state: 'active', sinceVersion: next.version, attributes: new Map() }],
      };
    }
    case 'floor':
      return { ...next, floor: next.floor === 0 ? 0.1 : 0 };
    case 'restate':
      return next;
  }
}
