import { describe, expect, it } from 'vitest';
import type { ExperimentId } from '../../services/core/events.ts';
import { liveSnapshots, verify } from '../../services/replay/verify.ts';
import { decision, experiment, reward, T0 } from '../support/core.ts';
import { World } from '../support/world.ts';

const COUPON = 'coupon' as ExperimentId;
const LAYOUT = 'layout' as ExperimentId;

async function learnedWorld(): Promise<World> {
  const world = await World.create();
  await world.define(experiment(), experiment({ id: LAYOUT }));
  await world.send({ decision: decision() }, { reward: reward() });
  const learner = await world.learner();
  await world.learned();
  await learner.stop();
  return world;
}

describe('a replay', () => {
  it('proves live snapshots at what they reflect, although the log has gone on since', async () => {
    const world = await learnedWorld();
    const live = await liveSnapshots(world.log, world.topics, world.codecs);
    await world.send({ decision: decision({ id: 'later', unit: 'v', atMs: T0 + 1 }) });
    const { snapshots, counts } = await world.replay(live);
    expect(verify(snapshots, live, true).map(({ verdict }) => verdict)).toEqual(['same', 'same']);
    expect(counts.decisionsIn).toBe(2);
    const toTheEnd = await world.replay();
    expect(verify(toTheEnd.snapshots, live, true).map(({ verdict }) => verdict)).toEqual(['differs', 'same']);
  });

  it('tells a live snapshot whose sums are not those of the log', async () => {
    const world = await learnedWorld();
    const live = new Map(await liveSnapshots(world.log, world.topics, world.codecs));
    live.set(COUPON, { ...live.get(COUPON)!, digest: '0'.repeat(64) });
    const { snapshots } = await world.replay(live);
    expect(verify(snapshots, live, true).map(({ verdict }) => verdict)).toEqual(['differs', 'same']);
  });

  it('does not compare when the definition has changed, when there is no snapshot, or when it saw only a part', async () => {
    const world = await learnedWorld();
    const live = new Map(await liveSnapshots(world.log, world.topics, world.codecs));
    await world.define(experiment({ version: 2, floor: 0.5, appliedAtMs: [T0, T0] }));
    live.delete(LAYOUT);
    const { snapshots } = await world.replay(live);
    const verdicts = (fromStart: boolean) =>
      Object.fromEntries(
        verify(snapshots, live, fromStart).map(({ experimentId, verdict }) => [experimentId, verdict]),
      );
    expect(verdicts(true)).toEqual({ coupon: 'redefined', layout: 'no live snapshot' });
    expect(verdicts(false)).toEqual({ coupon: 'not comparable', layout: 'not comparable' });
  });
});
