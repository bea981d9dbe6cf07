/** The decider's promises on a log whose snapshots the test writes itself, and that can be away. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import type { ArmId, ExperimentId } from '../../../services/core/events.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import type { RunningDecider } from '../../../services/decider/start.ts';
import { experiment, T0 } from '../../support/core.ts';
import {
  awayable,
  type DeciderOverrides,
  decisionsOn,
  get,
  rewardsOn,
  servesVersion,
  startTestDecider,
  until,
} from '../../support/decider.ts';
import { snapshotOf } from '../../support/snapshots.ts';
import { World } from '../../support/world.ts';

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const ID = 'coupon' as ExperimentId;

async function setUp(overrides: DeciderOverrides = {}) {
  const world = await World.create();
  await world.define(experiment());
  await publish(world, snapshotOf(experiment(), { version: 1 }));
  const flaky = awayable(world.log);
  const running = await startTestDecider(world, { log: flaky.log, ...overrides });
  stops.push(() => running.stop());
  await running.caughtUp;
  return { world, flaky, running, decide: (unitId: string) => running.decider.decide(ask(unitId)).outcome };
}

function ask(unitId: string, experimentId: string = ID) {
  return { experimentId, unitId, context: new Map(), algorithm: null, eligibleArmIds: [], slots: 1 };
}

async function publish(world: World, snapshot: ParametersSnapshot): Promise<void> {
  const writer = world.log.writer();
  const value = world.codecs.snapshot.encode(snapshot);
  await writer.append({ topic: world.topics.snapshots, partition: 0 }, [{ key: snapshot.experimentId, value }]);
}

async function metrics({ httpPort }: RunningDecider): Promise<string> {
  return String((await get(httpPort, '/metrics')).body);
}

describe('the decider', () => {
  it('deals only the fallback arm, unlogged, when decisions cannot be buffered: no bandit decision goes unlogged', async () => {
    const { world, flaky, running, decide } = await setUp({ settings: { bufferRecordsMax: 10 } });
    flaky.away = true;
    const dealt = Array.from({ length: 40 }, (_, i) => decide(`u${i}`).decision);
    expect(dealt.map(({ reason }) => reason)).toEqual([
      ...Array.from({ length: 10 }, () => 'bandit'),
      ...Array.from({ length: 30 }, () => 'fallback'),
    ]);
    expect(new Set(dealt.slice(10).map(({ slots }) => JSON.stringify(slots)))).toEqual(
      new Set([JSON.stringify([{ armId: 'A', propensity: 1 }])]),
    );
    const { body } = await get(running.httpPort, '/metrics');
    expect(body).toMatch(
      /^croupier_decider_unlogged_decisions_total\{experiment="coupon",reason="buffer-full",.*\} 30$/m,
    );
    expect(body).toMatch(/^croupier_decider_buffer_depth\{topic="decisions",.*\} 10$/m);
    flaky.away = false;
    await running.stop();
    const logged = await decisionsOn(world);
    const bandit = dealt.filter(({ reason }) => reason === 'bandit');
    expect(logged.map(({ decisionId }) => decisionId).sort()).toEqual(
      bandit.map(({ decisionId }) => decisionId).sort(),
    );
  });

  it('decides as bandit again once there is room', async () => {
    const { flaky, decide } = await setUp({ settings: { bufferRecordsMax: 1 } });
    flaky.away = true;
    expect([decide('a'), decide('b')].map(({ decision }) => decision.reason)).toEqual(['bandit', 'fallback']);
    flaky.away = false;
    await until(() => decide('c').decision.reason === 'bandit');
  });

  it('never serves an older snapshot after a newer one', async () => {
    const { world, running, decide } = await setUp();
    await publish(world, snapshotOf(experiment(), { version: 9 }));
    await publish(world, snapshotOf(experiment(), { version: 5 }));
    await running.state.catchUp();
    expect(decide('u').decision.snapshotVersion).toBe(9);
  });

  it('never deals an arm that a newer definition retired', async () => {
    const { world, running, decide } = await setUp();
    const [a, b] = experiment().arms;
    const retired: Experiment = {
      ...experiment(),
      version: 2,
      arms: [{ ...a!, state: 'retired' }, b!],
      fallbackArmId: b!.id,
      appliedAtMs: [...experiment().appliedAtMs, 0],
    };
    await world.define({ ...retired, appliedAtMs: [world.clock.nowMs, 0] });
    await running.state.catchUp();
    const dealt = Array.from({ length: 50 }, (_, i) => decide(`u${i}`).decision);
    expect(new Set(dealt.map(({ slots, experimentVersion }) => `${slots[0]!.armId} ${experimentVersion}`))).toEqual(
      new Set(['B 2']),
    );
  });

  it('keeps the last good snapshot when a newer one contradicts the definition', async () => {
    const { world, running, decide } = await setUp();
    const other = experiment({ arms: experiment().arms.toReversed() });
    await publish(world, snapshotOf(other, { version: 3 }));
    await running.state.catchUp();
    expect(decide('u').decision).toMatchObject({ snapshotVersion: 1, reason: 'bandit' });
  });

  it('deals the fallback arm, logged, while there is no snapshot', async () => {
    const { world, running } = await setUp();
    await world.define(experiment({ id: 'new' as ExperimentId, fallbackArmId: 'B' as ArmId }));
    await running.state.catchUp();
    const { decision } = running.decider.decide(ask('u', 'new')).outcome;
    expect(decision).toMatchObject({ reason: 'fallback', slots: [{ armId: 'B', propensity: 1 }], snapshotVersion: 0 });
    await running.stop();
    expect(await decisionsOn(world)).toMatchObject([{ decisionId: decision.decisionId }]);
  });

  it('tells a reward’s caller to repeat it when the log does not take it in time', async () => {
    const { world, flaky, running } = await setUp({ settings: { rewardMsMax: 20 } });
    flaky.away = true;
    const reward = {
      rewardId: 'r',
      revision: 0,
      unitId: 'u',
      metric: 'click',
      value: 1,
      occurredAtMs: null,
      decisionId: null,
      experimentId: ID,
      armId: null,
    };
    await expect(running.decider.reward(reward)).rejects.toMatchObject({ code: 'reward-late' });
    flaky.away = false;
    while (
      await running.decider.reward(reward).then(
        () => false,
        () => true,
      )
    );
    expect(new Set((await rewardsOn(world)).map(({ rewardId }) => rewardId))).toEqual(new Set(['r']));
  });

  it('explains how it would decide without deciding', async () => {
    const { world, running } = await setUp();
    const { explanation } = running.decider.explain(ask('u'));
    expect(explanation.slots[0]!.arms.map(({ probability }) => probability)).toEqual([0.5, 0.5]);
    await running.stop();
    expect(await decisionsOn(world)).toEqual([]);
  });

  it('spreads a deterministic policy between two snapshots, and forgets what the next one reflects', async () => {
    const { world, running, decide } = await setUp();
    const definition = experiment({
      policies: [{ kind: 'ucb1', parameters: new Map([['alpha', 1]]) }],
      version: 2,
      appliedAtMs: [T0, T0],
    });
    await world.define(definition);
    await publish(world, snapshotOf(definition, { version: 2 }));
    await servesVersion(running, ID, 2);
    const dealt = Array.from({ length: 20 }, (_, i) => decide(`u${i}`).decision);
    expect(new Set(dealt.map(({ slots }) => slots[0]!.armId)).size).toBe(2);
    expect(dealt.map(({ pendingExposures }) => pendingExposures)).toEqual([...dealt.keys()]);
    while (!/buffer_depth\{topic="decisions",.*\} 0$/m.test(await metrics(running)));
    const ends = await world.log.admin.offsets(world.topics.decisions);
    const offsets = ends.map(({ end }, partition) => ({ partition, decisions: end, rewards: 0 }));
    await publish(world, { ...snapshotOf(definition, { version: 3 }), offsets });
    await servesVersion(running, ID, 3);
    expect(decide('one more').decision.pendingExposures).toBe(0);
  });
});
