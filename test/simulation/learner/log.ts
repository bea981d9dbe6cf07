/**
 * The embedded log as one process of a run sees it: every call takes its time and may fail, records come in any
 * portions, an append may be made without an answer, or be made late, even after its process is dead.
 */
import { Invalid, Unavailable } from '../../../services/core/errors.ts';
import type { EmbeddedLog } from '../../../services/platform/embedded/log.ts';
import type {
  AppendRecord,
  Log,
  LogAdmin,
  LogReader,
  LogWriter,
  RecordBatch,
  TopicPartition,
} from '../../../services/platform/log/port.ts';
import { type Groups, SimulatedMembership } from './groups.ts';
import type { Actor } from './schedule.ts';
import type { Troubles, Weather } from './weather.ts';

/** What all processes share. */
export class Network {
  readonly log: EmbeddedLog;
  readonly weather: Weather;
  readonly groups: Groups;
  private readonly onAppended: (to: TopicPartition, records: readonly AppendRecord[]) => void;
  private readonly waiting = new Map<string, Set<() => void>>();

  constructor(
    log: EmbeddedLog,
    weather: Weather,
    groups: Groups,
    onAppended: (to: TopicPartition, records: readonly AppendRecord[]) => void,
  ) {
    this.log = log;
    this.weather = weather;
    this.groups = groups;
    this.onAppended = onAppended;
  }

  /** Takes effect before it returns. @returns offset of the first record. */
  append(writer: LogWriter, to: TopicPartition, records: readonly AppendRecord[]): Promise<number> {
    const offset = writer.append(to, records);
    const appended = (): void => {
      this.onAppended(to, records);
      for (const wake of this.waiting.get(to.topic) ?? []) wake();
    };
    offset.then(appended, () => {});
    return offset;
  }

  /** Calls back at every append to a topic. @returns what ends it. */
  listen(topic: string, wake: () => void): () => void {
    const listeners = this.waiting.get(topic) ?? new Set();
    this.waiting.set(topic, listeners.add(wake));
    return () => listeners.delete(wake);
  }
}

export class SimulatedLog implements Log {
  readonly admin: LogAdmin;
  private readonly network: Network;
  private readonly actor: Actor;
  private readonly troubles: Troubles;

  constructor(network: Network, actor: Actor, troubles: Troubles) {
    this.network = network;
    this.actor = actor;
    this.troubles = troubles;
    const { admin } = network.log;
    const call = <T>(label: string, answer: () => Promise<T>): Promise<T> =>
      network.weather.call(actor, troubles, `${actor.name} ${label}`, answer);
    this.admin = {
      createTopics: (specs) => call('create topics', () => admin.createTopics(specs)),
      deleteTopics: (topics) => call('delete topics', () => admin.deleteTopics(topics)),
      describe: (topic) => call(`describe ${topic}`, () => admin.describe(topic)),
      partitionCount: (topic) => call(`count ${topic}`, () => admin.partitionCount(topic)),
      offsets: (topic) => call(`offsets ${topic}`, () => admin.offsets(topic)),
      offsetsAt: (topic, timeMs) => call(`offsets ${topic} at ${timeMs}`, () => admin.offsetsAt(topic, timeMs)),
    };
  }

  reader(): LogReader {
    return new SimulatedReader(this.network, this.actor, this.troubles);
  }

  writer(): LogWriter {
    return new SimulatedWriter(this.network, this.actor, this.troubles, this.network.log.writer(), false);
  }

  async soleWriter(name: string): Promise<LogWriter> {
    const { network, actor, troubles } = this;
    const begun = await network.weather.call(actor, troubles, `${actor.name} begins writer ${name}`, () =>
      network.log.soleWriter(name),
    );
    return new SimulatedWriter(network, actor, troubles, begun, true);
  }

  membership(): SimulatedMembership {
    return new SimulatedMembership(this.network.groups, this.actor);
  }

  async close(): Promise<void> {}
}

interface Source {
  readonly at: TopicPartition;
  readonly reader: LogReader;
}

class SimulatedReader implements LogReader {
  private readonly network: Network;
  private readonly actor: Actor;
  private readonly troubles: Troubles;
  /** One for each partition, so that any of them may lag behind the others. */
  private sources: Source[] = [];
  private deafen: () => void = () => {};
  private closed = false;
  /** Whether there may be more than the last look showed. */
  private heard = false;
  private wake: (() => void) | null = null;

  constructor(network: Network, actor: Actor, troubles: Troubles) {
    this.network = network;
    this.actor = actor;
    this.troubles = troubles;
  }

  assign(positions: readonly (TopicPartition & { readonly offset: number })[]): void {
    this.deafen();
    const ends = [...new Set(positions.map(({ topic }) => topic))].map((topic) =>
      this.network.listen(topic, () => this.hear()),
    );
    this.deafen = () => {
      for (const end of ends) end();
    };
    this.sources = positions.map((position) => {
      const reader = this.network.log.reader();
      reader.assign([position]);
      return { at: position, reader };
    });
  }

  seek(to: TopicPartition & { readonly offset: number }): void {
    const source = this.sources.find(({ at }) => at.topic === to.topic && at.partition === to.partition);
    source!.reader.seek(to);
  }

  async poll(options: { readonly maxRecords: number; readonly waitMsMax: number }): Promise<readonly RecordBatch[]> {
    const { weather } = this.network;
    const deadlineMs = weather.schedule.nowMs + options.waitMsMax;
    for (;;) {
      if (this.closed) return [];
      this.heard = false;
      const batches = await weather.call(this.actor, this.troubles, `${this.actor.name} poll`, () =>
        this.take(options.maxRecords),
      );
      if (this.closed) return [];
      const leftMs = deadlineMs - weather.schedule.nowMs;
      if (batches.length > 0 || leftMs <= 0) return batches;
      if (!this.heard) await this.news(leftMs);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    this.deafen();
    this.hear();
  }

  private hear(): void {
    this.heard = true;
    this.wake?.();
  }

  /** Of some partitions, some of what they have. */
  private async take(recordsMax: number): Promise<RecordBatch[]> {
    const { schedule } = this.network.weather;
    const batches: RecordBatch[] = [];
    for (const { at, reader } of this.sources) {
      if ((this.troubles.slowUntilMs.get(at.topic) ?? 0) > schedule.nowMs) continue;
      if (schedule.random.next() < 0.2) {
        this.heard = true;
        continue;
      }
      const maxRecords =
        schedule.random.next() < 0.5 ? recordsMax : Math.min(recordsMax, 1 + Math.floor(schedule.random.next() * 5));
      batches.push(...(await reader.poll({ maxRecords, waitMsMax: 0 })));
    }
    return batches;
  }

  /** Resolves when something may have come, at the latest after the wait. */
  private news(waitMs: number): Promise<void> {
    const { schedule } = this.network.weather;
    const slow = this.sources.map(({ at }) => (this.troubles.slowUntilMs.get(at.topic) ?? 0) - schedule.nowMs);
    const waits = [waitMs, ...slow.filter((ms) => ms > 0)];
    return new Promise((resolve) => {
      const wake = (): void => {
        this.wake = null;
        timeout.run = null;
        schedule.after(0, `${this.actor.name} woken`, resolve, this.actor);
      };
      const timeout = schedule.after(Math.min(...waits), `${this.actor.name} waited`, () => wake(), this.actor);
      this.wake = wake;
    });
  }
}

class SimulatedWriter implements LogWriter {
  private readonly network: Network;
  private readonly actor: Actor;
  private readonly troubles: Troubles;
  private readonly writer: LogWriter;
  private readonly isSole: boolean;
  private readonly queues = new Map<string, Promise<unknown>>();
  private closed = false;
  private failed = false;

  constructor(network: Network, actor: Actor, troubles: Troubles, writer: LogWriter, isSole: boolean) {
    this.network = network;
    this.actor = actor;
    this.troubles = troubles;
    this.writer = writer;
    this.isSole = isSole;
  }

  append(to: TopicPartition, records: readonly AppendRecord[]): Promise<number> {
    if (this.closed) return Promise.reject(new Invalid('closed', 'this writer is closed'));
    const name = `${to.topic}/${to.partition}`;
    if (this.failed) return Promise.reject(new Unavailable('writer-failed', `${name}: this sole writer failed before`));
    // Who waits behind one that failed fails with it.
    const sent = (this.queues.get(name) ?? Promise.resolve()).then(() => this.send(to, records, name));
    this.queues.set(name, sent);
    sent.catch((error: unknown) => {
      this.failed ||= this.isSole && !(error instanceof Invalid);
    });
    return sent.finally(() => {
      if (this.queues.get(name) === sent) this.queues.delete(name);
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.allSettled(this.queues.values());
  }

  private send(to: TopicPartition, records: readonly AppendRecord[], name: string): Promise<number> {
    const { weather } = this.network;
    const { schedule, rates } = weather;
    const label = `${this.actor.name} append ${name} (${records.length})`;
    const lost = new Unavailable('not-acknowledged', `${label}: no answer`);
    const arrivesMs = weather.latencyMs();
    if (this.troubles.awayUntilMs > schedule.nowMs || weather.happens(rates.lostAppend)) {
      // Given up; the request may still be on its way.
      if (weather.happens(0.3)) {
        weather.note('copy arrives late');
        this.arrive(to, records, label, arrivesMs + 300 * schedule.random.next());
      }
      return weather.leg(this.actor, `${label} lost`).then(() => Promise.reject(lost));
    }
    const answered = Promise.withResolvers<number>();
    const answerIsLost = weather.happens(rates.lostAnswer);
    this.arrive(to, records, label, arrivesMs, (offset) => {
      const answer = (): void => {
        if (answerIsLost) {
          weather.note('answer lost');
          answered.reject(lost);
        } else offset.then(answered.resolve, answered.reject);
      };
      schedule.after(weather.latencyMs(), `${label} answered`, answer, this.actor);
    });
    return answered.promise;
  }

  /** What is under way arrives, or not, whatever becomes of its sender. */
  private arrive(
    to: TopicPartition,
    records: readonly AppendRecord[],
    label: string,
    delayMs: number,
    then: (offset: Promise<number>) => void = (offset) => void offset.catch(() => {}),
  ): void {
    this.network.weather.schedule.after(
      delayMs,
      label,
      () => then(this.network.append(this.writer, to, records)),
      null,
    );
  }
}
