/**
 * A learner and a decider in one thread, of the same core that serves: events are joined, summed, built into snapshots
 * and decided from by the very functions of production. Owns the definition, the sums of one partition and the served
 * snapshot. Not here: worlds, and when rewards arrive.
 */
import { parseExperimentFile } from '../contracts/experiment-file.ts';
import { type DecideRequest, type DecisionOutcome, decide } from '../core/deciding/decide.ts';
import { Exposure, PendingExposures } from '../core/deciding/pending-exposures.ts';
import { drawSalt, type ServedExperiment, serve } from '../core/deciding/served.ts';
import type { ParametersSnapshot } from '../core/deciding/snapshot.ts';
import type { ArmId, Decision, DecisionId, Reward, RewardId, UnitId } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import { emptyGroup, type Group } from '../core/join/group.ts';
import { type Counts, zeroCounts } from '../core/learning/counts.ts';
import { MergedSums } from '../core/learning/merge.ts';
import {
  type Handled,
  handleDecision,
  handleReward,
  learnedFrom,
  PartitionState,
  type Rules,
} from '../core/learning/partition.ts';
import { buildParameters } from '../core/learning/snapshot.ts';
import { allPolicies } from '../core/policies/registry.ts';
import type { Environment, SimulatedUnit } from './environment.ts';
import type { SimulatedForgetting, SimulatedPolicy } from './policies.ts';
import { EVER_MS, STEP_MS } from './time.ts';

/** How finely what is forgotten is cut: cohorts in the half-life or the window. */
const COHORTS_A_SPAN = 10;
const METRIC = 'reward';
const COST = 'cost';

export interface LearnerOptions {
  /** Part of the salt of every draw. */
  readonly seed: number;
  readonly policy: SimulatedPolicy;
  /** As in an experiment's definition. */
  readonly pendingExposure: boolean;
}

/** What becomes known of one arm of a decision. */
export interface LearnedReport {
  readonly armId: ArmId;
  readonly revision: number;
  readonly value: number;
  /** Nothing more of the unit will come, so what is known of it can be forgotten. */
  readonly isLast: boolean;
}

export class SimulatedLearner {
  private readonly policy: SimulatedPolicy;
  private readonly state = new PartitionState();
  private readonly groups = new Map<UnitId, Group>();
  private experiment: Experiment;
  private armsRevision: number;
  private rules: Rules;
  /** As of the newest publication, at this step. */
  private readonly merged = new MergedSums();
  private publishedStep = 0;
  private readonly pending = new PendingExposures();
  private served: ServedExperiment;

  constructor(world: Environment, options: LearnerOptions) {
    this.policy = options.policy;
    this.experiment = define(world, options);
    this.armsRevision = world.armsRevision;
    this.rules = rulesOf(this.experiment);
    this.served = this.serve();
  }

  get counts(): Readonly<Counts> {
    return { ...zeroCounts(), ...this.state.counts };
  }

  /** Takes arms that came or went since into the definition, and decides from it with what was published last. */
  redefine(world: Environment, step: number): void {
    if (world.armsRevision === this.armsRevision) return;
    this.armsRevision = world.armsRevision;
    const version = this.experiment.version + 1;
    this.experiment = {
      ...this.experiment,
      version,
      appliedAtMs: [...this.experiment.appliedAtMs, step * STEP_MS],
      arms: world.armIds.map((id, index) => ({
        id: id as ArmId,
        state: world.retired.has(index) ? 'retired' : 'active',
        sinceVersion: this.experiment.arms[index]?.sinceVersion ?? version,
        attributes: new Map([[COST, world.costs[index]!]]),
      })),
    };
    this.rules = rulesOf(this.experiment);
    this.served = this.serve();
  }

  /** Decides from a new snapshot of all that has arrived. */
  publish(step: number): void {
    for (const { cohort, sums } of this.state.sums.takeChanged()) {
      this.merged.replace(0, cohort, new Map([...sums].map(([armId, vector]) => [armId, vector.copy()])));
    }
    this.publishedStep = step;
    this.served = this.serve();
  }

  decide(unit: SimulatedUnit, step: number): DecisionOutcome {
    const request: DecideRequest = {
      unitId: unit.unitId as UnitId,
      context: unit.context,
      algorithm: null,
      eligibleArmIds: null,
      slots: this.experiment.slots,
    };
    const outcome = decide(this.served, request, {
      decisionId: `decision-${step}` as DecisionId,
      decidedAtMs: step * STEP_MS,
    });
    if (this.experiment.pendingExposure) {
      const exposure = new Exposure(outcome);
      exposure.place = { partition: 0, offset: step };
      this.pending.add(this.served, exposure);
    }
    this.apply(outcome.decision.unitId, (group) => handleDecision(group, outcome.decision, step * STEP_MS, this.rules));
    return outcome;
  }

  reward(decision: Decision, report: LearnedReport, step: number): void {
    const reward: Reward = {
      rewardId: `reward-${decision.decisionId}-${report.armId}` as RewardId,
      revision: report.revision,
      unitId: decision.unitId,
      metric: METRIC,
      value: report.value,
      occurredAtMs: decision.decidedAtMs,
      decisionId: decision.decisionId,
      experimentId: this.experiment.id,
      armId: report.armId,
    };
    this.apply(decision.unitId, (group) => handleReward(group, reward, step * STEP_MS, this.rules));
    if (report.isLast) this.groups.delete(decision.unitId);
  }

  private apply(unitId: UnitId, handle: (group: Group) => Handled): void {
    const handled = handle(this.groups.get(unitId) ?? emptyGroup(unitId));
    this.state.apply(learnedFrom(handled, this.rules));
    this.groups.set(unitId, handled.group);
  }

  private serve(): ServedExperiment {
    const { experiment, policy, publishedStep } = this;
    if (policy.yardstick !== null) {
      const snapshot = { version: publishedStep + 1, digest: '', clockMs: 0, armCount: experiment.arms.length };
      const { kind } = policy.spec;
      return {
        ...serve(experiment, null),
        snapshot,
        policies: new Map([[kind, policy.yardstick]]),
        salts: new Map([[kind, drawSalt(experiment.id, snapshot.version, kind)]]),
      };
    }
    const snapshot = this.snapshot();
    const served = serve(experiment, snapshot);
    this.pending.countInto(served, snapshot);
    return served;
  }

  private snapshot(): ParametersSnapshot {
    const { experiment, publishedStep } = this;
    return {
      experimentId: experiment.id,
      experimentVersion: experiment.version,
      version: publishedStep + 1,
      // Nobody compares it here, and it would cost more than all the rest.
      digest: '',
      offsets: [{ partition: 0, decisions: publishedStep, rewards: publishedStep }],
      ...buildParameters(experiment, this.merged),
    };
  }
}

/** By the way that every definition takes, so that what a file leaves out has its default here too. */
function define(
  world: Environment,
  { seed, policy: { spec, forgetting }, pendingExposure }: LearnerOptions,
): Experiment {
  const reward = { metrics: { [METRIC]: { fold: 'last' } }, ...world.rewardRange, delay: 'labelled' };
  const named = world.armIds.map((id, index) => ({ id, attributes: { [COST]: world.costs[index] } }));
  const file = {
    id: `simulation-${seed}`,
    ...(world.layout === null ? { arms: named } : { layout: world.layout }),
    // Any that fits every world: the one that is asked for takes its place.
    policy: { kind: 'beta-ts' },
    floor: 0,
    slots: world.slots,
    context: world.features,
    reward: world.layout === null ? { ...reward, value: `metric.${METRIC} - arm.${COST}` } : reward,
    attribution: { window: `${EVER_MS}ms` },
    cohort: `${cohortMs(forgetting)}ms`,
    forgetting: fileForgetting(forgetting),
    pendingExposure,
  };
  const [experiment] = parseExperimentFile('simulation', JSON.stringify(file), allPolicies());
  return { ...experiment!, policies: [spec], appliedAtMs: [0] };
}

/** Of decision time; one cohort for ever where nothing is forgotten. */
function cohortMs(forgetting: SimulatedForgetting | null): number {
  if (forgetting === null) return EVER_MS;
  return Math.ceil(forgetting.spanSteps / COHORTS_A_SPAN) * STEP_MS;
}

function fileForgetting(forgetting: SimulatedForgetting | null): object | null {
  if (forgetting === null) return null;
  const span = `${forgetting.spanSteps * STEP_MS}ms`;
  return forgetting.kind === 'half-life' ? { halfLife: span } : { window: span };
}

function rulesOf(experiment: Experiment): Rules {
  return {
    experiments: new Map([[experiment.id, experiment]]),
    limits: {
      windowMs: EVER_MS,
      graceMs: 0,
      earlyGraceMs: 0,
      unitEventsMax: Number.MAX_SAFE_INTEGER,
      unitSpanMs: EVER_MS,
    },
  };
}
