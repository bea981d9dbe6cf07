/**
 * Decisions of which some convert, exponentially late: an arm that has been dealt for long and one that is new. Learned by
 * the core, event after event. Not here: policies; arms are dealt at fixed rates.
 */
import type { ArmId, InputEvent } from '../../services/core/events.ts';
import type { DelayMode, Experiment } from '../../services/core/experiment.ts';
import { MergedSums } from '../../services/core/learning/merge.ts';
import { seededRandom } from '../../services/core/random.ts';
import { decision, experiment, LIMITS, Oracle, reward } from './core.ts';
import { rewardSpec } from './reward-spec.ts';

export const DAY_MS = 86_400_000;

export interface LateArm {
  readonly id: string;
  /** Dealt in the last so many days. */
  readonly days: number;
  readonly decisions: number;
  /** How many of them convert in the end. */
  readonly rate: number;
}

export interface LateWorld {
  readonly arms: readonly LateArm[];
  readonly delayDaysMean: number;
  readonly windowDays: number;
  readonly cohortMs: number;
  /** On which day it ends. */
  readonly endDay: number;
}

export function lateExperiment({ arms, windowDays, cohortMs }: LateWorld, delay: DelayMode): Experiment {
  return experiment({
    arms: arms.map(({ id }) => ({ id: id as ArmId, state: 'active', sinceVersion: 1, attributes: new Map() })),
    reward: rewardSpec({ metrics: { click: { fold: 'max' } }, max: 1, delay }),
    attribution: { model: 'last-touch', windowMs: windowDays * DAY_MS },
    cohortMs,
  });
}

/** @returns in order of time, each decision of a unit of its own; rewards that are still to come are left out. */
export function lateEvents(world: LateWorld, seed: number): InputEvent[] {
  const random = seededRandom(seed);
  const endMs = world.endDay * DAY_MS;
  const events = world.arms.flatMap(({ id: arm, days, decisions, rate }) =>
    Array.from({ length: decisions }, (_, at): InputEvent[] => {
      const unit = `${arm}-${at}`;
      const atMs = Math.floor(endMs - days * DAY_MS * (1 - random.next()));
      const made = { stream: 'decisions', clockMs: atMs, decision: decision({ id: unit, unit, arm, atMs }) } as const;
      const delayDays = -Math.log(1 - random.next()) * world.delayDaysMean;
      const wonMs = Math.floor(atMs + delayDays * DAY_MS);
      if (random.next() >= rate || delayDays > world.windowDays || wonMs > endMs) return [made];
      return [made, { stream: 'rewards', clockMs: wonMs, reward: reward({ id: unit, unit, atMs: wonMs }) }];
    }).flat(),
  );
  return events.sort((a, b) => a.clockMs - b.clockMs);
}

/** What is known after the events, as a publisher merges it. */
export function learnedSums(events: readonly InputEvent[], definition: Experiment): MergedSums {
  const windowMs = definition.attribution.windowMs;
  const oracle = new Oracle({
    experiments: new Map([[definition.id, definition]]),
    limits: { ...LIMITS, windowMs, unitSpanMs: DAY_MS },
  });
  for (const event of events) oracle.learn(event);
  const merged = new MergedSums();
  for (const { cohort, sums } of oracle.state.sums.entries()) merged.replace(0, cohort, sums);
  return merged;
}
