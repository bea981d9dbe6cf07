/**
 * Faults made on purpose: a log whose writers fail at a chosen append, as a crash in the middle of a publication does,
 * and garbage in a store's files.
 */
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Fenced } from '../../services/core/errors.ts';
import type { Log, TopicPartition } from '../../services/platform/log/port.ts';
import type { Store } from '../../services/platform/store/port.ts';
import { appending, overriding } from './overriding.ts';

/** Crash points, counted over the log's appends and the stores' commits together, in the order they happen. */
export class CrashPoint {
  private left: number;
  private readonly crashed = Promise.withResolvers<void>();

  /** @param steps how many appends and commits still happen; every one after them fails. */
  constructor(steps: number) {
    this.left = steps;
  }

  /** Resolves once a step has failed. */
  get reached(): Promise<void> {
    return this.crashed.promise;
  }

  get isReached(): boolean {
    return this.left < 0;
  }

  /** @param appendsTo topics whose appends count as steps; others always succeed. */
  log(log: Log, appendsTo: readonly string[]): Log {
    return appending(log, (append) => async (to, records) => {
      if (appendsTo.includes(to.topic)) this.step();
      return append(to, records);
    });
  }

  store(store: Store): Store {
    return overriding(store, {
      commit: async () => {
        this.step();
        await store.commit();
      },
    });
  }

  private step(): void {
    this.left -= 1;
    if (this.left >= 0) return;
    this.crashed.resolve();
    throw new Fenced('crashed', 'nothing gets through any more');
  }
}

/** A view of a log that takes each record of a topic by itself, and lets everybody read it before the next one. */
export function oneByOne(log: Log, topic: string): Log {
  return appending(log, (append) => async (to, records) => {
    if (to.topic !== topic) return append(to, records);
    const offsets: number[] = [];
    for (const record of records) {
      offsets.push(await append(to, [record]));
      for (let turn = 0; turn < 20; turn++) await setImmediate();
    }
    return offsets[0]!;
  });
}

/** Overwrites the files of a folder whose names fit with as many bytes of garbage. @returns how many there were. */
export async function garbageIn(folder: string, name: RegExp): Promise<number> {
  const files = (await readdir(folder)).filter((file) => name.test(file));
  for (const file of files) {
    await truncate(join(folder, file), 0);
    await writeFile(join(folder, file), Buffer.alloc(5_000, 0xa5));
  }
  return files.length;
}

/** A view of a log that has lost what was appended to some topics before a time, as retention drops it. */
export async function droppedBefore(log: Log, topics: readonly string[], timeMs: number): Promise<Log> {
  const starts = new Map<string, readonly number[]>();
  for (const topic of topics) starts.set(topic, await log.admin.offsetsAt(topic, timeMs));
  const kept = ({ topic, partition }: TopicPartition, offset: number): number =>
    Math.max(offset, starts.get(topic)?.[partition] ?? 0);
  return overriding(log, {
    reader() {
      const reader = log.reader();
      return overriding(reader, {
        assign: (positions) => reader.assign(positions.map((to) => ({ ...to, offset: kept(to, to.offset) }))),
        seek: (to) => reader.seek({ ...to, offset: kept(to, to.offset) }),
      });
    },
    admin: overriding(log.admin, {
      offsets: async (topic) =>
        (await log.admin.offsets(topic)).map(({ start, end }, partition) => ({
          start: kept({ topic, partition }, start),
          end,
        })),
      offsetsAt: async (topic, atMs) =>
        (await log.admin.offsetsAt(topic, atMs)).map((offset, partition) => kept({ topic, partition }, offset)),
    }),
  });
}
