/**
 * The growth team's plain endpoints: /select_arm, /update_reward, /stats. Arms are told by index in the experiment's
 * definition; lists by arm are in that order, `null` where nothing is known. Values are in raw reward units.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { policyKind } from '../core/deciding/decide.ts';
import { Invalid } from '../core/errors.ts';
import type { Experiment } from '../core/experiment.ts';
import type { Decider } from './decider.ts';
import { context, parse } from './messages.ts';
import { type ExperimentStatistics, statisticsOf } from './statistics.ts';

const selectArm = z.strictObject({
  exp_id: z.string(),
  algorithm: z.string().nullish(),
  user_id: z.string(),
  context: context.nullish(),
  slots: z.int().nullish(),
});

const updateReward = z.strictObject({
  exp_id: z.string(),
  algorithm: z.string().nullish(),
  user_id: z.string(),
  /** Index or id. Where decisions have several slots, the arm whose reward it is; else the decision says what was dealt. */
  arm: z.union([z.int(), z.string()]).nullish(),
  reward: z.number(),
  /** What was measured; may be left out where the experiment learns from one metric. */
  metric: z.string().nullish(),
  /** Taken and not used: what was known at the decision was logged with it. */
  context: context.nullish(),
  decision_id: z.string().nullish(),
  reward_id: z.string().nullish(),
});

const statsQuery = z.strictObject({ exp_id: z.string().optional(), algorithm: z.string().optional() });

export function growthRoutes(server: FastifyInstance, decider: Decider): void {
  server.post('/select_arm', async ({ body }) => select(decider, body));
  server.post('/update_reward', async ({ body }) => update(decider, body));
  server.get('/stats', async ({ query }) => {
    const { exp_id, algorithm } = parse(statsQuery, query);
    if (exp_id === undefined) return { experiments: decider.allStats().map(statsBody) };
    return statsBody(decider.stats(exp_id, algorithm ?? null));
  });
}

function select(decider: Decider, body: unknown): object {
  const asked = parse(selectArm, body);
  const dealt = decider.decide(
    {
      experimentId: asked.exp_id,
      unitId: asked.user_id,
      context: asked.context ?? new Map(),
      algorithm: asked.algorithm ?? null,
      eligibleArmIds: [],
      slots: asked.slots ?? 1,
    },
    { withScores: true },
  );
  const { decision } = dealt.outcome;
  const { armCounts, armValues } = statisticsOf(dealt.served, decision.policy);
  const slots = decision.slots.map(({ armId, propensity }, at) => ({
    arm: dealt.outcome.slots[at]!.armIndex,
    strategy_id: armId,
    propensity,
  }));
  const [first] = slots;
  return {
    status: 'success',
    exp_id: decision.experimentId,
    user_id: decision.unitId,
    selected_arm: first!.arm,
    strategy_id: first!.strategy_id,
    decision_id: decision.decisionId,
    propensity: first!.propensity,
    slots,
    debug: { scores: dealt.scores, counts: armCounts, values: armValues },
  };
}

async function update(decider: Decider, body: unknown): Promise<object> {
  const told = parse(updateReward, body);
  const experiment = decider.experiment(told.exp_id);
  policyKind(experiment, told.algorithm ?? null);
  const armIndex = told.arm === null || told.arm === undefined ? null : armIndexOf(experiment, told.arm);
  const reward = await decider.reward({
    rewardId: told.reward_id ?? null,
    revision: 0,
    unitId: told.user_id,
    metric: metricOf(experiment, told.metric ?? null),
    value: told.reward,
    occurredAtMs: null,
    decisionId: told.decision_id ?? null,
    experimentId: experiment.id,
    // Of several arms the caller must say which one it is; of a single one, the decision knows better.
    armId: armIndex === null || experiment.slots === 1 ? null : experiment.arms[armIndex]!.id,
  });
  return {
    status: 'success',
    exp_id: experiment.id,
    user_id: reward.unitId,
    updated_arm: armIndex,
    strategy_id: armIndex === null ? null : experiment.arms[armIndex]!.id,
    reward: reward.value,
    reward_id: reward.rewardId,
  };
}

/** @throws Invalid `metric-unknown`. */
function metricOf({ id, reward }: Experiment, metric: string | null): string {
  const known = [...reward.metrics.keys()];
  const told = metric ?? (known.length === 1 ? known[0]! : null);
  if (told !== null && reward.metrics.has(told)) return told;
  throw new Invalid(
    'metric-unknown',
    `metric is ${told ?? 'missing'}, allowed of experiment ${id} are ${known.join(', ')}`,
  );
}

/** @throws Invalid `arm-unknown`. */
function armIndexOf({ id, arms }: Experiment, arm: number | string): number {
  const index = typeof arm === 'number' ? arm : arms.findIndex((each) => each.id === arm);
  if (index >= 0 && index < arms.length) return index;
  throw new Invalid(
    'arm-unknown',
    `experiment ${id} has no arm ${arm}, allowed are 0 to ${arms.length - 1} or an arm id`,
  );
}

function statsBody(stats: ExperimentStatistics): object {
  return {
    exp_id: stats.experimentId,
    algorithm: stats.algorithm,
    total_pulls: stats.totalPulls,
    best_arm: stats.bestArm,
    arm_counts: stats.armCounts,
    arm_values: stats.armValues,
    holdout: stats.holdout && { held_out: stats.holdout.heldOut, others: stats.holdout.others },
  };
}
