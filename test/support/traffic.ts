/**
 * A stretch of input that has everything: late, early, repeated, revised and retracted rewards, rewards of nobody, bad
 * bytes, shadow decisions, decisions of two arms, crowded units; several cohorts and experiments, one by each attribution model
 * and each a way with delays; long enough by the log's clock for entries to run out.
 */
import type { ExperimentId } from '../../services/core/events.ts';
import { ATTRIBUTION_MODELS, type Experiment } from '../../services/core/experiment.ts';
import type { JoinLimits } from '../../services/core/join/group.ts';
import { decision, experiment, reward, T0 } from './core.ts';
import { rewardSpec } from './reward-spec.ts';
import { type Event, World } from './world.ts';

export const TRAFFIC_LIMITS: JoinLimits = {
  windowMs: 2_000,
  graceMs: 500,
  earlyGraceMs: 500,
  unitEventsMax: 3,
  unitSpanMs: 2_000,
};
export const STEP_MS = 37;
const UNITS = 23;

const FOLDS = ['sum', 'first', 'last'] as const;
const DELAYS = ['mature', 'delay-corrected', 'labelled'] as const;
const EXPERIMENTS: readonly Experiment[] = ['coupon', 'banner', 'layout'].map((id, index) =>
  experiment({
    id: id as ExperimentId,
    attribution: { model: ATTRIBUTION_MODELS[index]!, windowMs: 2_000 },
    cohortMs: 1_000,
    reward: rewardSpec({
      metrics: { click: { fold: FOLDS[index]! } },
      delay: DELAYS[index]!,
    }),
  }),
);

/** A world with the experiments of the traffic, on one input partition when not said otherwise. */
export async function trafficWorld(partitions = 1): Promise<World> {
  const world = await World.create({ partitions, limits: TRAFFIC_LIMITS });
  await world.define(...EXPERIMENTS);
  return world;
}

/** Sends the events of steps from … to − 1; the same steps are the same events at the same log time, whoever sends them. */
export async function sendTraffic(world: World, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++) {
    world.clock.nowMs = T0 + step * STEP_MS;
    await world.send(...eventsOf(step));
  }
}

function eventsOf(step: number): Event[] {
  const unit = `user-${(step * 7) % UNITS}`;
  const atMs = T0 + step * STEP_MS;
  const experimentId = EXPERIMENTS[step % EXPERIMENTS.length]!.id;
  const arms = step % 5 === 0 ? ['B', 'A'] : [step % 2 === 0 ? 'A' : 'B'];
  const made = { id: `d${step}`, unit, atMs, experimentId, arms };
  const dealt: Event = { decision: decision(made) };
  const won = (overrides: Parameters<typeof reward>[0] = {}): Event => ({
    reward: reward({
      id: `r${step}`,
      unit,
      atMs: atMs + 5,
      value: (step % 9) / 2,
      ...(step % 11 === 0 ? { arm: 'A' } : {}),
      ...overrides,
    }),
  });
  switch (step % 8) {
    case 0:
      return [dealt];
    case 1:
      return [won({ decision: made.id }), dealt, dealt];
    case 2:
      return [dealt, won(), won(), won({ revision: 2, value: 3 })];
    case 3:
      // Revises, late, what was won 40 steps before.
      return [dealt, won({ id: `r${step - 40}`, revision: 5, value: step % 16 === 3 ? null : 2 })];
    case 4:
      return [dealt, won({ atMs: atMs - 1_900 })];
    case 5:
      return [{ topic: step % 16 === 5 ? 'rewards' : 'decisions', key: unit, bytes: Buffer.from('not Avro') }];
    case 6:
      return [{ decision: decision({ ...made, reason: 'shadow' }) }, won({ unit: `${unit}-of-nobody` })];
    default:
      return [dealt, won({ revision: 1, experimentId })];
  }
}
