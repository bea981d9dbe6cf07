import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Unavailable } from '../../../../services/core/errors.ts';
import type { MirroredRecord } from '../../../../services/platform/mirror/mirrored-record.ts';
import { RedisMirror } from '../../../../services/platform/mirror/redis.ts';

const url = process.env.REDIS_URL;
if (url === undefined || url === '') {
  throw new Error('REDIS_URL is not set: run `npm run stack -- up`, or give the address of a Redis');
}
const redis = new Redis(url);
let prefix = '';
const mirrors: RedisMirror[] = [];

function open(options: { url: string; onUnavailable?: () => void }): RedisMirror {
  const mirror = new RedisMirror({ prefix, onUnavailable: () => {}, ...options });
  mirrors.push(mirror);
  return mirror;
}

beforeEach(() => {
  prefix = `test-${randomUUID()}.`;
});

afterAll(async () => {
  for (const mirror of mirrors) await mirror.close();
  const keys = await redis.keys('croupier:test-*');
  if (keys.length > 0) await redis.del(keys);
  redis.disconnect();
});

function record(version: number, overrides: Partial<MirroredRecord> = {}): MirroredRecord {
  const value = Buffer.concat([Buffer.from([0, 255, 10, 13, 128]), Buffer.from(`version ${version}`)]);
  return { kind: 'snapshots', key: 'coupon', rank: [version, 1], appendTimeMs: 5, value, ...overrides };
}

function fail(error: unknown): never {
  throw error;
}

describe('the mirror in Redis', () => {
  it('gives back what another process saved, byte for byte', async () => {
    await open({ url }).save(record(1, { key: 'ключ "x"' }));
    expect(await open({ url }).load('snapshots', fail)).toEqual([record(1, { key: 'ключ "x"' })]);
    expect(await open({ url }).load('experiments', fail)).toEqual([]);
  });

  it('never replaces a record by an older one, whichever process comes last', async () => {
    const [one, other] = [open({ url }), open({ url })];
    await one.save(record(7));
    await other.save(record(5));
    await other.save(record(7, { rank: [7, 0] }));
    expect(await one.load('snapshots', fail)).toEqual([record(7)]);
    await other.save(record(7, { rank: [7, 2] }));
    await one.save(record(2 ** 52));
    await one.save(record(2 ** 52 - 1));
    expect(await one.load('snapshots', fail)).toEqual([record(2 ** 52)]);
  });

  it('leaves out what is damaged, tells of it, and replaces it', async () => {
    const mirror = open({ url });
    await redis.hset(`croupier:${prefix}snapshots`, 'coupon', 'no record');
    const damaged: string[] = [];
    expect(await mirror.load('snapshots', (error) => damaged.push(error.code))).toEqual([]);
    expect(damaged).toEqual(['mirror']);
    await mirror.save(record(1));
    expect(await mirror.load('snapshots', fail)).toEqual([record(1)]);
  });

  it('says so at once when Redis is away', async () => {
    const mirror = open({ url: 'redis://127.0.0.1:1' });
    await expect(mirror.save(record(1))).rejects.toThrow(Unavailable);
    await expect(mirror.load('snapshots', fail)).rejects.toThrow(Unavailable);
  });
});
