import { describe, expect, it } from 'vitest';
import { type Corrupt, Unavailable } from '../../../../services/core/errors.ts';
import type { MirroredKind, MirroredRecord } from '../../../../services/platform/mirror/mirrored-record.ts';
import { Mirrors } from '../../../../services/platform/mirror/mirrors.ts';
import type { Mirror } from '../../../../services/platform/mirror/port.ts';

class RecordingMirror implements Mirror {
  readonly name = 'recording';
  readonly saved: MirroredRecord[] = [];
  away = false;

  async save(record: MirroredRecord): Promise<void> {
    if (this.away) throw new Unavailable('away', 'away');
    this.saved.push(record);
  }

  async load(kind: MirroredKind, _damaged: (error: Corrupt) => void): Promise<readonly MirroredRecord[]> {
    if (this.away) throw new Unavailable('away', 'away');
    return this.saved.filter((record) => record.kind === kind);
  }

  async close(): Promise<void> {}
}

function record(version: number, key = 'coupon'): MirroredRecord {
  return { kind: 'snapshots', key, rank: [version, 1], appendTimeMs: 0, value: Buffer.from(`${version}`) };
}

function setUp() {
  const [one, other] = [new RecordingMirror(), new RecordingMirror()];
  const told: string[] = [];
  const mirrors = new Mirrors([one, other], {
    unavailable: (_name, error) => told.push(error.code),
    damaged: () => {},
  });
  return { one, other, mirrors, told };
}

describe('the mirrors', () => {
  it('save only the newest record of each key when they are slower than the log', async () => {
    const { one, mirrors } = setUp();
    for (const version of [1, 2, 3]) mirrors.offer(record(version));
    mirrors.offer(record(1, 'other'));
    mirrors.offer(record(2));
    await mirrors.stop();
    expect(one.saved).toEqual([record(3), record(1, 'other')]);
  });

  it('load from those that answer', async () => {
    const { one, other, mirrors, told } = setUp();
    await other.save(record(4));
    one.away = true;
    expect(await mirrors.load('snapshots')).toEqual([record(4)]);
    expect(told).toEqual(['away']);
  });

  it('go on when one of them is away, and end all the same when they are stopped', async () => {
    const { one, other, mirrors, told } = setUp();
    one.away = true;
    mirrors.offer(record(1));
    await mirrors.stop();
    expect(other.saved).toEqual([record(1)]);
    expect(one.saved).toEqual([]);
    expect(told).not.toEqual([]);
  });
});
