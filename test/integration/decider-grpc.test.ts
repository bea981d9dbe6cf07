import { connect } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { T0 } from '../support/core.ts';
import {
  type DeciderOverrides,
  GrpcCaller,
  post,
  rewardsOn,
  type Stops,
  setUpDecider,
  decisionsOnceStopped as stopped,
} from '../support/decider.ts';

const stops: Stops = [];
const setUp = (overrides?: DeciderOverrides) => setUpDecider(stops, overrides);

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

describe('the decider over gRPC', () => {
  async function setUpCaller() {
    const made = await setUp();
    const caller = new GrpcCaller(made.running.grpcPort);
    stops.push(() => caller.close());
    return { ...made, caller };
  }

  it('decides and logs the propensity that it tells', async () => {
    const { caller, world, running } = await setUpCaller();
    const answer = await caller.call('Decide', {
      experimentId: 'aged',
      unitId: 'u',
      context: { age: { numberValue: 2 } },
    });
    expect(answer).toMatchObject({ reason: 'DECISION_REASON_BANDIT', policy: 'linucb', decidedAtMs: T0 });
    const [logged] = await stopped(world, running);
    expect(logged!.slots).toEqual([{ armId: answer.slots[0].armId, propensity: answer.slots[0].propensity }]);
    expect(logged!.features).toEqual([1, 2]);
  });

  it('decides the same for a unit as HTTP does', async () => {
    const { caller, http } = await setUpCaller();
    for (let i = 0; i < 20; i++) {
      const request = { experimentId: 'coupon', unitId: `u${i}` };
      const [byGrpc, byHttp] = [await caller.call('Decide', request), await post(http, '/v1/decide', request)];
      expect(byGrpc.slots).toEqual(byHttp.body.slots);
    }
  });

  it('deals only arms that are eligible', async () => {
    const { caller } = await setUpCaller();
    const { results } = await caller.call('DecideBatch', {
      requests: Array.from({ length: 50 }, (_, i) => ({
        experimentId: 'coupon',
        unitId: `u${i}`,
        eligibleArmIds: ['B'],
      })),
    });
    const dealt = results.map((each: { decision: { slots: object[] } }) => each.decision.slots);
    expect(dealt).toEqual(Array.from({ length: 50 }, () => [{ armId: 'B', armIndex: 1, propensity: 1 }]));
  });

  it('puts a reward on the log and answers with its id', async () => {
    const { caller, world } = await setUpCaller();
    const { rewardId } = await caller.call('Reward', { unitId: 'u', metric: 'click', value: 1.5 });
    expect(await rewardsOn(world)).toMatchObject([
      { rewardId, value: 1.5, occurredAtMs: T0, decisionId: null, revision: 0 },
    ]);
    await caller.call('Reward', { rewardId, revision: 1, unitId: 'u', metric: 'click' });
    expect((await rewardsOn(world))[1]).toMatchObject({ rewardId, revision: 1, value: null });
  });

  it.each([
    [
      'an unknown experiment',
      'Decide',
      { experimentId: 'none', unitId: 'u' },
      grpc.status.NOT_FOUND,
      'unknown-experiment',
    ],
    [
      'NaN in the context',
      'Decide',
      { experimentId: 'aged', unitId: 'u', context: { age: { numberValue: Number.NaN } } },
      grpc.status.INVALID_ARGUMENT,
      'context',
    ],
    [
      'an unknown algorithm',
      'Decide',
      { experimentId: 'coupon', unitId: 'u', algorithm: 'x' },
      grpc.status.INVALID_ARGUMENT,
      'algorithm-unknown',
    ],
    ['no unit', 'Decide', { experimentId: 'coupon' }, grpc.status.INVALID_ARGUMENT, 'text-range'],
    [
      'an infinite reward',
      'Reward',
      { unitId: 'u', metric: 'm', value: Number.POSITIVE_INFINITY },
      grpc.status.INVALID_ARGUMENT,
      'malformed',
    ],
    ['an empty batch', 'DecideBatch', { requests: [] }, grpc.status.RESOURCE_EXHAUSTED, 'batch-range'],
  ] as const)('refuses %s with a status', async (_what, method, request, code, ours) => {
    const { caller } = await setUpCaller();
    const error = await caller.call(method, request).catch((refused: grpc.ServiceError) => refused);
    expect([error.code, error.metadata.get('croupier-code')]).toEqual([code, [ours]]);
  });

  it('refuses a context of 5 MB and goes on', async () => {
    const { caller } = await setUpCaller();
    const large = { experimentId: 'coupon', unitId: 'u', context: { x: { stringValue: 'x'.repeat(5_000_000) } } };
    await expect(caller.call('Decide', large)).rejects.toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
    expect(await caller.call('Decide', { experimentId: 'coupon', unitId: 'u' })).toMatchObject({
      experimentId: 'coupon',
    });
  });

  it('tells load balancers its health', async () => {
    const { running } = await setUpCaller();
    const client = new grpc.Client(`127.0.0.1:${running.grpcPort}`, grpc.credentials.createInsecure());
    stops.push(() => client.close());
    const bytes = (message: Buffer) => message;
    const answer = await new Promise((resolve, reject) => {
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', bytes, bytes, Buffer.alloc(0), (error, message) =>
        error === null ? resolve(message) : reject(error),
      );
    });
    // Field 1, a varint: status SERVING.
    expect(answer).toEqual(Buffer.from([0x08, 1]));
  });

  it('takes a key __proto__ without harm', async () => {
    const { caller } = await setUpCaller();
    const context = JSON.parse('{"__proto__": {"numberValue": 1}}') as object;
    await expect(caller.call('Decide', { experimentId: 'aged', unitId: 'u', context })).rejects.toMatchObject({
      code: grpc.status.INVALID_ARGUMENT,
    });
    expect(({} as { numberValue?: number }).numberValue).toBeUndefined();
  });
});

describe('a decider that is stopped', () => {
  it('has put every decision that it answered on the log', async () => {
    const { world, running, http } = await setUp({ settings: { lingerMs: 10_000 } });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => post(http, '/select_arm', { exp_id: 'coupon', user_id: `u${i}` })),
    );
    const logged = await stopped(world, running);
    expect(logged.map(({ decisionId }) => decisionId).sort()).toEqual(
      answers.map(({ body }) => body.decision_id).sort(),
    );
  });

  it('takes no new connection', async () => {
    const { running, http } = await setUp();
    await running.stop();
    const refused = new Promise((resolve) => connect(http, '127.0.0.1').on('error', resolve));
    expect(await refused).toMatchObject({ code: 'ECONNREFUSED' });
  });
});
