/**
 * How far each partition is that this process owns, asked when somebody looks: so that what went to another learner is
 * shown by that one alone. Remembers nothing.
 */
import type { TopicNames } from '../contracts/keys.ts';
import { STREAMS } from '../core/events.ts';
import { COUNT_NAMES } from '../core/learning/counts.ts';
import type { Log } from '../platform/log/port.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { TallyTask } from './tally-task.ts';

export interface Watched {
  readonly log: Pick<Log, 'admin'>;
  readonly topics: TopicNames;
  /** The partitions that are open now. */
  tasks(): readonly TallyTask[];
  /** Bytes of a partition's local store. */
  storeBytes(partition: number): Promise<number>;
  /** Since 1970. */
  timeMs(): number;
}

export function registerPartitionGauges(metrics: Metrics, watched: Watched): void {
  metrics.gauge({
    name: 'croupier_learner_events',
    help: 'The books of a partition over its whole life: every event read stands in one column.',
    labelNames: ['partition', 'column'],
    collect() {
      this.reset();
      for (const { partition, join } of watched.tasks()) {
        for (const column of COUNT_NAMES) this.set({ partition, column }, join.state.counts[column]);
      }
    },
  });
  perStream(metrics, watched, 'croupier_learner_offset', 'Next offset to read.', ({ join }, stream) => {
    return join.state.offsets[stream];
  });
  const clockHelp = 'Largest append time read, in seconds since 1970.';
  perStream(metrics, watched, 'croupier_learner_log_clock_seconds', clockHelp, ({ join }, stream) => {
    return join.state.clocks[stream] / 1_000;
  });
  metrics.gauge({
    name: 'croupier_learner_store_bytes',
    help: 'Disk space of the local store of what is still open to rewards.',
    labelNames: ['partition'],
    async collect() {
      this.reset();
      for (const { partition } of watched.tasks()) this.set({ partition }, await watched.storeBytes(partition));
    },
  });
  metrics.gauge({
    name: 'croupier_learner_pending_bytes',
    help: 'Bytes of what is still open to rewards and of the sums: what would be left of the local store without what it has replaced.',
    labelNames: ['partition'],
    collect() {
      this.reset();
      for (const { partition, join } of watched.tasks()) this.set({ partition }, join.pendingBytes());
    },
  });
  registerLag(metrics, watched);
}

type Stream = (typeof STREAMS)[number];

function perStream(
  metrics: Metrics,
  watched: Watched,
  name: string,
  help: string,
  figureOf: (task: TallyTask, stream: Stream) => number,
): void {
  metrics.gauge({
    name,
    help,
    labelNames: ['partition', 'stream'],
    collect() {
      this.reset();
      for (const task of watched.tasks()) {
        for (const stream of STREAMS) this.set({ partition: task.partition, stream }, figureOf(task, stream));
      }
    },
  });
}

interface Lag {
  readonly partition: number;
  readonly stream: Stream;
  readonly events: number;
  readonly seconds: number;
}

/** What waits to be learned. Without an answer of the log nothing is shown, and the rest is. */
function registerLag(metrics: Metrics, watched: Watched): void {
  const labelNames = ['partition', 'stream'] as const;
  // Both gauges are asked at once, and show one answer.
  let asked: Promise<Lag[]> | null = null;
  const ask = (): Promise<Lag[]> => {
    asked ??= lagsOf(watched).finally(() => {
      asked = null;
    });
    return asked;
  };
  metrics.gauge({
    name: 'croupier_learner_lag_events',
    help: 'Events on the log that have not been read.',
    labelNames,
    async collect() {
      this.reset();
      for (const { partition, stream, events } of await ask()) this.set({ partition, stream }, events);
    },
  });
  metrics.gauge({
    name: 'croupier_learner_lag_seconds',
    help: 'Time since the append of the last event read, while others wait; 0 when none does.',
    labelNames,
    async collect() {
      this.reset();
      for (const { partition, stream, seconds } of await ask()) this.set({ partition, stream }, seconds);
    },
  });
}

async function lagsOf({ log, topics, tasks, timeMs }: Watched): Promise<Lag[]> {
  if (tasks().length === 0) return [];
  // A scrape must not fail because the log is away: an absent figure says so.
  const ends = await Promise.all(STREAMS.map((stream) => log.admin.offsets(topics[stream]).catch(() => [])));
  return tasks().flatMap(({ partition, join: { state } }) =>
    STREAMS.flatMap((stream, index) => {
      const end = ends[index]![partition]?.end;
      if (end === undefined) return [];
      const events = Math.max(0, end - state.offsets[stream]);
      const waitedMs = events === 0 ? 0 : timeMs() - state.clocks[stream];
      return [{ partition, stream, events, seconds: Math.max(0, waitedMs) / 1_000 }];
    }),
  );
}
