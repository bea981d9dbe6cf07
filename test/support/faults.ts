/**
 * Faults made on purpose: a log whose writers fail at a chosen append, as a crash in the middle of a publication does,
 * and garbage in a store's files.
 */
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Fenced } from '../../services/core/errors.ts';
import type { AppendRecord, Log, LogWriter, TopicPartition } from '../../services/platform/log/port.ts';
import type { Store } from '../../services/platform/store/port.ts';

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
    return {
      reader: () => log.reader(),
      writer: () => this.writer(log.writer(), appendsTo),
      soleWriter: async (name) => this.writer(await log.soleWriter(name), appendsTo),
      membership: () => log.membership(),
      admin: log.admin,
      close: () => log.close(),
    };
  }

  store(store: Store): Store {
    return {
      get: (unit) => store.get(unit),
      put: (unit, value, due, mark) => store.put(unit, value, due, mark),
      delete: (unit) => store.delete(unit),
      takeDue: (upTo) => store.takeDue(upTo),
      units: () => store.units(),
      getNamed: (name) => store.getNamed(name),
      putNamed: (name, value) => store.putNamed(name, value),
      deleteNamed: (name) => store.deleteNamed(name),
      names: () => store.names(),
      heldBytes: () => store.heldBytes(),
      commit: async () => {
        this.step();
        await store.commit();
      },
      clear: () => store.clear(),
      close: () => store.close(),
      destroy: () => store.destroy(),
    };
  }

  private writer(writer: LogWriter, appendsTo: readonly string[]): LogWriter {
    return {
      append: async (to: TopicPartition, records: readonly AppendRecord[]) => {
        if (appendsTo.includes(to.topic)) this.step();
        return writer.append(to, records);
      },
      close: () => writer.close(),
    };
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
  const split = (writer: LogWriter): LogWriter => ({
    append: async (to, records) => {
      if (to.topic !== topic) return writer.append(to, records);
      const offsets: number[] = [];
      for (const record of records) {
        offsets.push(await writer.append(to, [record]));
        for (let turn = 0; turn < 20; turn++) await setImmediate();
      }
      return offsets[0]!;
    },
    close: () => writer.close(),
  });
  return {
    reader: () => log.reader(),
    writer: () => split(log.writer()),
    soleWriter: async (name) => split(await log.soleWriter(name)),
    membership: () => log.membership(),
    admin: log.admin,
    close: () => log.close(),
  };
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
  return {
    reader() {
      const reader = log.reader();
      return {
        assign: (positions) => reader.assign(positions.map((to) => ({ ...to, offset: kept(to, to.offset) }))),
        seek: (to) => reader.seek({ ...to, offset: kept(to, to.offset) }),
        poll: (options) => reader.poll(options),
        close: () => reader.close(),
      };
    },
    writer: () => log.writer(),
    soleWriter: (name) => log.soleWriter(name),
    membership: () => log.membership(),
    admin: {
      createTopics: (specs) => log.admin.createTopics(specs),
      deleteTopics: (names) => log.admin.deleteTopics(names),
      partitionCount: (topic) => log.admin.partitionCount(topic),
      describe: (topic) => log.admin.describe(topic),
      offsets: async (topic) =>
        (await log.admin.offsets(topic)).map(({ start, end }, partition) => ({
          start: kept({ topic, partition }, start),
          end,
        })),
      offsetsAt: async (topic, atMs) =>
        (await log.admin.offsetsAt(topic, atMs)).map((offset, partition) => kept({ topic, partition }, offset)),
    },
    close: () => log.close(),
  };
}
