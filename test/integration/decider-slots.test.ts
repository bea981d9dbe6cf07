/** Several arms a decision, and the holdout, from the request to what the learner makes of the rewards. */
import { afterEach, expect, test } from 'vitest';
import { isHeldOut } from '../../services/core/deciding/decide.ts';
import type { UnitId } from '../../services/core/events.ts';
import {
  GrpcCaller,
  get,
  post,
  SLOTS,
  type Stops,
  servesVersion,
  setUpDecider,
  decisionsOnceStopped as stopped,
} from '../support/decider.ts';

const stops: Stops = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const UNITS = Array.from({ length: 60 }, (_, i) => `u${i}`);
const isOutside = (unit: string) => !isHeldOut(SLOTS, unit as UnitId);
const OUTSIDE = UNITS.filter(isOutside);
const INSIDE = UNITS.filter((unit) => !isOutside(unit));

test('gRPC, HTTP and the plain endpoint deal the same slots, and log what they tell', async () => {
  const { world, running, http } = await setUpDecider(stops);
  const caller = new GrpcCaller(running.grpcPort);
  stops.push(() => caller.close());
  for (const unitId of OUTSIDE.slice(0, 10)) {
    const byGrpc = await caller.call('Decide', { experimentId: 'slots', unitId, slots: 2 });
    const byHttp = await post(http, '/v1/decide', { experiment_id: 'slots', unit_id: unitId, slots: 2 });
    const plain = await post(http, '/select_arm', { exp_id: 'slots', user_id: unitId, slots: 2 });
    expect(byGrpc.slots).toHaveLength(2);
    expect(new Set(byGrpc.slots.map(({ armId }: { armId: string }) => armId)).size).toBe(2);
    expect(byHttp.body.slots).toEqual(byGrpc.slots);
    const [first] = plain.body.slots;
    expect(plain.body).toMatchObject({
      selected_arm: first.arm,
      strategy_id: first.strategy_id,
      propensity: first.propensity,
    });
    expect(
      plain.body.slots.map(({ arm, strategy_id, propensity }: Record<string, unknown>) => ({
        armId: strategy_id,
        armIndex: arm,
        propensity,
      })),
    ).toEqual(byGrpc.slots);
    const one = await post(http, '/v1/decide', { experimentId: 'slots', unitId });
    expect(one.body.slots).toEqual(byHttp.body.slots.slice(0, 1));
  }
  const tooMany = await post(http, '/v1/decide', { experimentId: 'slots', unitId: 'u', slots: 3 });
  expect(tooMany).toMatchObject({ status: 400, body: { code: 'slots-range' } });
  const logged = await stopped(world, running);
  expect(logged).toHaveLength(40);
  for (const { slots } of logged) expect(slots[0]!.propensity).toBeCloseTo(1 / 3, 9);
  for (const { slots } of logged) if (slots.length > 1) expect(slots[1]!.propensity).toBeCloseTo(1 / 2, 9);
});

test('a reward that names its arm counts for that slot alone, and the holdout for no arm', async () => {
  const { world, running, http } = await setUpDecider(stops);
  const learner = await world.learner();
  stops.push(() => learner.stop());
  const [outside] = OUTSIDE;
  const [inside] = INSIDE;
  const dealt = await post(http, '/select_arm', { exp_id: 'slots', user_id: outside, slots: 2 });
  const second = dealt.body.slots[1].arm;
  await post(http, '/update_reward', {
    exp_id: 'slots',
    user_id: outside,
    arm: second,
    reward: 2,
    decision_id: dealt.body.decision_id,
  });
  const kept = await post(http, '/v1/decide', { experimentId: 'slots', unitId: inside, slots: 1 });
  expect(kept.body).toMatchObject({
    reason: 'DECISION_REASON_HOLDOUT',
    slots: [{ armId: 'B', armIndex: 1, propensity: 1 }],
  });
  await post(http, '/v1/reward', {
    unitId: inside,
    metric: 'click',
    value: 1,
    decisionId: kept.body.decisionId,
    experimentId: 'slots',
  });
  await servesVersion(running, 'slots', 4);
  const { body } = await get(http, '/stats?exp_id=slots');
  const byArm = (value: (arm: number) => number | null) => [0, 1, 2].map(value);
  const dealtArms = dealt.body.slots.map(({ arm }: { arm: number }) => arm);
  expect(body).toEqual({
    exp_id: 'slots',
    algorithm: 'beta-ts',
    total_pulls: 2,
    best_arm: second,
    arm_counts: byArm((arm) => Number(dealtArms.includes(arm))),
    arm_values: byArm((arm) => (arm === second ? 2 : dealtArms.includes(arm) ? 0 : null)),
    holdout: { held_out: { pulls: 1, counted: 1, value: 1 }, others: { pulls: 2, counted: 2, value: 1 } },
  });
});
