/**
 * A mirror in Redis, shared by all deciders of an installation: one hash for each kind, one field a record.
 * Owns the connection. Whether a record is newer is decided in Redis itself, since several processes write.
 */
import { Redis } from 'ioredis';
import { Corrupt, Unavailable } from '../../core/errors.ts';
import { fromBytes, type MirroredKind, type MirroredRecord, toBytes } from './mirrored-record.ts';
import type { Mirror } from './port.ts';

const COMMAND_MS_MAX = 2_000;
const RECONNECT_MS_MAX = 2_000;

/** KEYS[1] the hash; ARGV: field, rank (2), bytes. What is held and unreadable counts as older than anything. */
const SAVE_IF_NEWER = `
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held then
  local ok, header = pcall(cjson.decode, string.match(held, '^[^\\n]*'))
  if ok and type(header) == 'table' and type(header.rank) == 'table' then
    local a, b = header.rank[1], header.rank[2]
    local c, d = tonumber(ARGV[2]), tonumber(ARGV[3])
    if c < a or (c == a and d <= b) then return 0 end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return 1`;

export interface RedisMirrorOptions {
  /** Such as redis://127.0.0.1:6379. */
  readonly url: string;
  /** The topics' prefix: several installations may share one Redis. */
  readonly prefix: string;
  onUnavailable(error: Unavailable): void;
}

export class RedisMirror implements Mirror {
  readonly name = 'redis';
  private readonly options: RedisMirrorOptions;
  private readonly redis: Redis;

  constructor(options: RedisMirrorOptions) {
    this.options = options;
    this.redis = new Redis(options.url, {
      commandTimeout: COMMAND_MS_MAX,
      connectTimeout: COMMAND_MS_MAX,
      // A command fails when Redis is away; it does not wait in memory.
      maxRetriesPerRequest: 0,
      retryStrategy: (attempts) => Math.min(attempts * 100, RECONNECT_MS_MAX),
    });
    this.redis.on('error', (error: Error) => options.onUnavailable(this.away('connect', error)));
  }

  async save(record: MirroredRecord): Promise<void> {
    const { kind, key, rank } = record;
    await this.attempt(`save ${kind} ${key}`, () =>
      this.redis.eval(SAVE_IF_NEWER, 1, this.hashOf(kind), key, rank[0], rank[1], toBytes(record)),
    );
  }

  async load(kind: MirroredKind, damaged: (error: Corrupt) => void): Promise<readonly MirroredRecord[]> {
    const hash = this.hashOf(kind);
    const keys = await this.attempt(`list ${hash}`, () => this.redis.hkeys(hash));
    const records: MirroredRecord[] = [];
    for (const key of keys.sort()) {
      const bytes = await this.attempt(`read ${hash} ${key}`, () => this.redis.hgetBuffer(hash, key));
      if (bytes === null) continue;
      try {
        records.push(fromBytes(bytes, `redis ${hash} ${key}`));
      } catch (error) {
        if (!(error instanceof Corrupt)) throw error;
        damaged(error);
      }
    }
    return records;
  }

  async close(): Promise<void> {
    this.redis.disconnect();
  }

  private hashOf(kind: MirroredKind): string {
    return `croupier:${this.options.prefix}${kind}`;
  }

  private async attempt<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw this.away(what, error as Error);
    }
  }

  private away(what: string, cause: Error): Unavailable {
    return new Unavailable('redis-unavailable', `redis: could not ${what}: ${cause.message}`, { cause });
  }
}
