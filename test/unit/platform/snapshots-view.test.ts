import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toParts } from '../../../services/contracts/parts.ts';
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import { rethrow } from '../../../services/core/errors.ts';
import type { ArmId, ExperimentId } from '../../../services/core/events.ts';
import { SnapshotsView } from '../../../services/platform/snapshots-view.ts';
import { T0 } from '../../support/core.ts';
import { World } from '../../support/world.ts';

const ID = 'coupon' as ExperimentId;

function snapshot(version: number, experimentVersion = 1, digest = 'a'): ParametersSnapshot {
  return {
    experimentId: ID,
    experimentVersion,
    version,
    digest: digest.repeat(64),
    clockMs: 0,
    offsets: [],
    arms: [{ armId: 'A' as ArmId, pulls: 0, n: 0, sumR: 0, sumRR: 0 }],
    holdout: null,
    policies: [],
  };
}

async function setUp() {
  const world = await World.create();
  const refused: string[] = [];
  const view = new SnapshotsView({
    log: world.log,
    topic: world.topics.snapshots,
    codec: world.codecs.snapshot,
    onRefused: (error) => refused.push(error.code),
    onUnavailable: rethrow,
  });
  const read = (...snapshots: ParametersSnapshot[]) =>
    view.accept(
      snapshots.map((each, i) => ({ key: ID, value: world.codecs.snapshot.encode(each), appendTimeMs: T0 + i })),
    );
  const held = () => view.snapshots.get(ID)!;
  return { world, view, read, held, refused };
}

describe('the snapshots view', () => {
  it('never goes back to an older snapshot, whichever comes last', async () => {
    const { read, held } = await setUp();
    await read(snapshot(7), snapshot(5));
    expect(held()).toMatchObject({ snapshot: { version: 7 }, appendTimeMs: T0 });
    await read(snapshot(7, 2));
    expect(held().snapshot.experimentVersion).toBe(2);
    await read(snapshot(7, 1));
    expect(held().snapshot.experimentVersion).toBe(2);
    await read(snapshot(8, 1));
    expect(held().snapshot.version).toBe(8);
  });

  it('takes the later one of two that reflect the same events', async () => {
    const { read, held } = await setUp();
    await read(snapshot(7, 1, 'a'), snapshot(7, 1, 'b'));
    expect(held().snapshot.digest).toBe('b'.repeat(64));
  });

  it('keeps the last good snapshot when one cannot be read', async () => {
    const { view, read, held, refused } = await setUp();
    await read(snapshot(3));
    await view.accept([{ key: ID, value: Buffer.from('no Avro'), appendTimeMs: T0 }]);
    expect(refused).toEqual(['bad-magic']);
    expect(held().snapshot.version).toBe(3);
  });

  it('goes on after parts that do not make up a value', async () => {
    const { world, view, held, refused } = await setUp();
    const { snapshots } = world.topics;
    const parts = toParts(ID, randomBytes(1_000_000));
    await view.start();
    for (const { key, headers } of parts) {
      await world.append(snapshots, { key, value: Buffer.from('another'), headers: headers! }, 0);
    }
    await world.append(snapshots, { key: ID, value: world.codecs.snapshot.encode(snapshot(4)) }, 0);
    await view.catchUp();
    await view.stop();
    expect(refused).toEqual(['contradictory']);
    expect(held().snapshot.version).toBe(4);
  });
});
