import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { T0 } from '../support/core.ts';
import {
  type DeciderOverrides,
  GrpcCaller,
  get,
  post,
  rewardsOn,
  type Stops,
  servesVersion,
  setUpDecider,
  decisionsOnceStopped as stopped,
} from '../support/decider.ts';

const stops: Stops = [];
const setUp = (overrides?: DeciderOverrides) => setUpDecider(stops, overrides);

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

describe('the decider over HTTP', () => {
  it('deals, takes the reward, and serves what was learned from it', async () => {
    const { world, running, http } = await setUp();
    const learner = await world.learner();
    stops.push(() => learner.stop());
    const dealt = await post(http, '/select_arm', { exp_id: 'coupon', user_id: 'u1', context: {} });
    expect(dealt).toMatchObject({ status: 200, body: { status: 'success', exp_id: 'coupon', user_id: 'u1' } });
    const { decision_id, selected_arm, strategy_id, propensity, debug } = dealt.body;
    expect(strategy_id).toBe(['A', 'B'][selected_arm]);
    expect(propensity).toBeCloseTo(0.5, 9);
    expect(debug).toEqual({ scores: [0.5, 0.5], counts: [0, 0], values: [null, null] });

    const rewarded = await post(http, '/update_reward', {
      exp_id: 'coupon',
      user_id: 'u1',
      arm: selected_arm,
      reward: 3,
      decision_id,
    });
    expect(rewarded).toMatchObject({ status: 200, body: { status: 'success', updated_arm: selected_arm } });
    await servesVersion(running, 'coupon', 2);
    const stats = await get(http, '/stats?exp_id=coupon&algorithm=beta-ts');
    const counts = [0, 0];
    counts[selected_arm] = 1;
    expect(stats.body).toEqual({
      exp_id: 'coupon',
      algorithm: 'beta-ts',
      total_pulls: 1,
      best_arm: selected_arm,
      arm_counts: counts,
      // Scaled to [0, 1] it is ¾ of the range 0 to 4; told in raw units.
      arm_values: counts.map((count) => (count === 1 ? 3 : null)),
      holdout: null,
    });
    const [logged] = await stopped(world, running);
    expect(logged).toMatchObject({ decisionId: decision_id, unitId: 'u1', reason: 'bandit', decidedAtMs: T0 });
    expect(logged!.slots).toEqual([{ armId: strategy_id, propensity }]);
    expect(await rewardsOn(world)).toMatchObject([
      { value: 3, metric: 'click', experimentId: 'coupon', decisionId: decision_id },
    ]);
  });

  it('answers the calls of the proto in its JSON, in camelCase and in snake_case', async () => {
    const { http } = await setUp();
    const dealt = await post(http, '/v1/decide', {
      experimentId: 'aged',
      unitId: 'u',
      context: { age: { numberValue: 1 } },
    });
    expect(dealt.body).toEqual({
      decisionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      experimentId: 'aged',
      experimentVersion: 1,
      slots: [{ armId: expect.any(String), armIndex: expect.any(Number), propensity: 0.5 }],
      reason: 'DECISION_REASON_BANDIT',
      policy: 'linucb',
      snapshotVersion: '0',
      decidedAtMs: String(T0),
    });
    const same = await post(http, '/v1/decide', { experiment_id: 'aged', unit_id: 'u', context: { age: 1 } });
    expect(same.body.slots).toEqual(dealt.body.slots);
    const rewarded = await post(http, '/v1/reward', {
      reward_id: 'r',
      unitId: 'u',
      metric: 'click',
      value: 1,
      occurredAtMs: String(T0),
    });
    expect(rewarded).toEqual({ status: 200, body: { rewardId: 'r' } });
  });

  it('lets each request of a batch fail by itself', async () => {
    const { http } = await setUp();
    const { status, body } = await post(http, '/v1/decide-batch', {
      requests: [
        { experimentId: 'coupon', unitId: 'u' },
        { experimentId: 'none', unitId: 'u' },
        { experimentId: 'coupon' },
      ],
    });
    expect(status).toBe(200);
    expect(body.results.map((each: { error?: { code: string } }) => each.error?.code ?? 'decided')).toEqual([
      'decided',
      'unknown-experiment',
      'malformed',
    ]);
  });

  it.each([
    ['an unknown experiment', '/select_arm', { exp_id: 'none', user_id: 'u' }, 404, 'unknown-experiment'],
    [
      'an unknown algorithm',
      '/select_arm',
      { exp_id: 'coupon', user_id: 'u', algorithm: 'x' },
      400,
      'algorithm-unknown',
    ],
    ['no user', '/select_arm', { exp_id: 'coupon' }, 400, 'malformed'],
    ['a misspelt field', '/select_arm', { exp_id: 'coupon', user_id: 'u', algoritm: 'x' }, 400, 'malformed'],
    ['an empty user', '/select_arm', { exp_id: 'coupon', user_id: '' }, 400, 'text-range'],
    ['a user of 201 characters', '/select_arm', { exp_id: 'coupon', user_id: 'x'.repeat(201) }, 400, 'text-range'],
    ['NaN', '/select_arm', '{"exp_id":"aged","user_id":"u","context":{"age":NaN}}', 400, 'malformed'],
    ['a number beyond all', '/select_arm', '{"exp_id":"aged","user_id":"u","context":{"age":1e999}}', 400, 'context'],
    ['a context missing its feature', '/select_arm', { exp_id: 'aged', user_id: 'u' }, 400, 'context'],
    ['an object in the context', '/select_arm', { exp_id: 'aged', user_id: 'u', context: { age: {} } }, 400, 'context'],
    ['a list for a context', '/select_arm', { exp_id: 'coupon', user_id: 'u', context: [1] }, 400, 'malformed'],
    ['a text for a context', '/select_arm', { exp_id: 'coupon', user_id: 'u', context: 'age' }, 400, 'malformed'],
    [
      'a context of 1,001 keys',
      '/select_arm',
      { exp_id: 'coupon', user_id: 'u', context: keys(1_001) },
      400,
      'context',
    ],
    [
      'a context of 5 MB',
      '/select_arm',
      { exp_id: 'coupon', user_id: 'u', context: { x: 'x'.repeat(5_000_000) } },
      413,
      'too-large',
    ],
    ['an unknown arm', '/update_reward', { exp_id: 'coupon', user_id: 'u', arm: 2, reward: 1 }, 400, 'arm-unknown'],
    [
      'an unknown arm id',
      '/update_reward',
      { exp_id: 'coupon', user_id: 'u', arm: 'C', reward: 1 },
      400,
      'arm-unknown',
    ],
    [
      'a reward that is no number',
      '/update_reward',
      { exp_id: 'coupon', user_id: 'u', arm: 0, reward: 'x' },
      400,
      'malformed',
    ],
    [
      'an unknown metric',
      '/update_reward',
      { exp_id: 'coupon', user_id: 'u', arm: 0, reward: 1, metric: 'order' },
      400,
      'metric-unknown',
    ],
    [
      'a reward beyond all',
      '/update_reward',
      '{"exp_id":"coupon","user_id":"u","arm":0,"reward":1e999}',
      400,
      'malformed',
    ],
    ['a reward of 2101', '/v1/reward', { unitId: 'u', metric: 'm', value: 1, occurredAtMs: 4.2e12 }, 400, 'time-range'],
    ['an empty batch', '/v1/decide-batch', { requests: [] }, 400, 'batch-range'],
    [
      'a batch of 1,001',
      '/v1/decide-batch',
      { requests: Array.from({ length: 1_001 }, () => ({})) },
      400,
      'batch-range',
    ],
    ['an unknown path', '/select', {}, 404, 'unknown-path'],
  ])('refuses %s with a code and a message', async (_what, path, body, status, code) => {
    const { http, running, world } = await setUp();
    const answer = await post(http, path, body);
    expect(answer).toMatchObject({ status, body: { status: 'error', code, message: expect.any(String) } });
    expect(await stopped(world, running)).toEqual([]);
    expect(await rewardsOn(world)).toEqual([]);
  });

  it('takes keys such as __proto__ as keys, without harm', async () => {
    const { http } = await setUp();
    const context = '{"__proto__": {"age": 1}, "constructor": "x", "age": 2}';
    const nested = await post(http, '/select_arm', `{"exp_id":"aged","user_id":"u","context":${context}}`);
    expect(nested).toMatchObject({ status: 400, body: { code: 'context' } });
    const flat = await post(http, '/select_arm', '{"exp_id":"aged","user_id":"u","context":{"__proto__":1,"age":2}}');
    expect(flat.status).toBe(200);
    const inherited = await post(http, '/select_arm', '{"exp_id":"aged","user_id":"u","context":{"__proto__":1}}');
    expect(inherited).toMatchObject({ status: 400, body: { code: 'context' } });
    expect(({} as { age?: number }).age).toBeUndefined();
  });

  it('tells health, readiness and metrics', async () => {
    const { http } = await setUp();
    await post(http, '/select_arm', { exp_id: 'coupon', user_id: 'u' });
    await post(http, '/select_arm', { exp_id: 'none', user_id: 'u' });
    await post(http, '/update_reward', { exp_id: 'coupon', user_id: 'u', arm: 'B', reward: 2 });
    expect((await get(http, '/health')).body).toEqual({ status: 'ok', timestamp: new Date(T0).toISOString() });
    expect(await get(http, '/ready')).toMatchObject({
      status: 200,
      body: { ready: true, origin: 'log', experiments: 3 },
    });
    const { body } = await get(http, '/metrics');
    expect(body).toMatch(
      /^mab_decisions_total\{experiment="coupon",algorithm="beta-ts",arm="[AB]",reason="bandit",.*\} 1$/m,
    );
    expect(body).toMatch(
      /^mab_reward_distribution_sum\{service="decider",experiment="coupon",algorithm="beta-ts"\} 2$/m,
    );
    expect(body).toMatch(/^mab_cumulative_regret\{experiment="coupon",algorithm="beta-ts",.*\} 0$/m);
    expect(body).toMatch(/^croupier_decider_refused_total\{request="\/select_arm",code="unknown-experiment",.*\} 1$/m);
    expect(body).toMatch(/^croupier_decider_snapshot_version\{experiment="coupon",.*\} \d+$/m);
    expect(body).toMatch(/^croupier_decider_snapshot_age_seconds\{experiment="coupon",.*\} 0$/m);
    expect(body).toMatch(/^croupier_decider_decision_seconds_count\{service="decider"\} 1$/m);
  });

  it('gives the statistics of all experiments without exp_id', async () => {
    const { http } = await setUp();
    const { body } = await get(http, '/stats');
    expect(body.experiments.map((each: { exp_id: string }) => each.exp_id).sort()).toEqual(['aged', 'coupon', 'slots']);
    expect(await get(http, '/stats?exp_id=none')).toMatchObject({ status: 404 });
    expect(await get(http, '/stats?exp_id=coupon&algorithm=x')).toMatchObject({ status: 400 });
  });

  it('asks callers for the token, where one is set, but not whoever asks for its health', async () => {
    const { http, running } = await setUp({ settings: { token: 'secret' } });
    const body = { exp_id: 'coupon', user_id: 'u' };
    expect(await post(http, '/select_arm', body)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    expect(await post(http, '/select_arm', body, { authorization: 'Bearer wrong' })).toMatchObject({ status: 401 });
    expect(await post(http, '/select_arm', body, { authorization: 'Bearer secret' })).toMatchObject({ status: 200 });
    expect(await get(http, '/ready')).toMatchObject({ status: 200 });
    const caller = new GrpcCaller(running.grpcPort);
    stops.push(() => caller.close());
    const request = { experimentId: 'coupon', unitId: 'u' };
    await expect(caller.call('Decide', request)).rejects.toMatchObject({ code: grpc.status.UNAUTHENTICATED });
    const metadata = new grpc.Metadata();
    metadata.set('authorization', 'Bearer secret');
    expect(await caller.call('Decide', request, metadata)).toMatchObject({ experimentId: 'coupon' });
  });
});

function keys(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
}
