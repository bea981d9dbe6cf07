/**
 * What a learner tells of itself: metrics for each partition and experiment, and one log line where something is
 * handled. Decides nothing.
 */
import { COUNT_NAMES } from '../core/learning/counts.ts';
import type { Logger } from '../platform/logging.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { LearnerObserver } from './learner.ts';
import type { TallyTask } from './tally-task.ts';

const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export function learnerTelemetry(metrics: Metrics, logger: Logger, failed: (error: unknown) => void): LearnerObserver {
  const meters = learnerMeters(metrics);
  return {
    tally: {
      folded: (task, records) => {
        meters.records.inc({ partition: task.partition }, records);
        noteState(meters, task);
      },
      refused: ({ record, reason }) => {
        meters.deadLetters.inc({ stream: record.stream, reason: reason.code });
        logger.debug({ stream: record.stream, offset: record.record.offset, code: reason.code }, 'dead letter');
      },
      committed: (task, { commitMs, publishMs }) => {
        meters.commitSeconds.observe(commitMs / 1_000);
        meters.publishSeconds.observe(publishMs / 1_000);
        noteState(meters, task);
      },
      opened: (task, from) => {
        const { offsets } = task.join.state;
        logger.info({ partition: task.partition, from, offsets }, 'partition opened');
      },
      lost: (partition, error) => logger.warn({ partition, err: error }, 'partition lost, opening it again'),
      fenced: (partition, error) => logger.warn({ partition, err: error }, 'partition belongs to another learner now'),
      failed,
    },
    publish: {
      published: ({ experimentId, version }) => {
        meters.snapshots.inc({ experiment: experimentId });
        meters.snapshotVersion.set({ experiment: experimentId }, version);
        logger.debug({ experimentId, version }, 'snapshot published');
      },
      refused: (experimentId, error) =>
        logger.error({ experimentId, err: error }, 'no new snapshot can be built; the last one stays'),
      repaired: (key) => {
        meters.repairs.inc();
        logger.warn({ key }, 'appended again what something older, or a removal, came after');
      },
      unavailable: (error) => logger.warn({ err: error }, 'publishing waits'),
    },
    definitionRefused: (error) => logger.error({ err: error }, 'a definition cannot be read; the last good one stays'),
    unavailable: (error) => logger.warn({ err: error }, 'the log does not answer'),
    failed,
  };
}

type Meters = ReturnType<typeof learnerMeters>;

function learnerMeters(metrics: Metrics) {
  return {
    records: metrics.counter({
      name: 'croupier_learner_records_total',
      help: 'Records read from the inputs since the process began.',
      labelNames: ['partition'],
    }),
    events: metrics.gauge({
      name: 'croupier_learner_events',
      help: 'The books of a partition over its whole life: every event read stands in one column.',
      labelNames: ['partition', 'column'],
    }),
    offset: metrics.gauge({
      name: 'croupier_learner_offset',
      help: 'Next offset to read.',
      labelNames: ['partition', 'stream'],
    }),
    logClock: metrics.gauge({
      name: 'croupier_learner_log_clock_seconds',
      help: 'Largest append time read, in seconds since 1970.',
      labelNames: ['partition', 'stream'],
    }),
    deadLetters: metrics.counter({
      name: 'croupier_learner_dead_letters_total',
      help: 'Records refused since the process began, by reason.',
      labelNames: ['stream', 'reason'],
    }),
    commitSeconds: metrics.histogram({
      name: 'croupier_learner_commit_seconds',
      help: 'Time to expire and commit a partition.',
      buckets: SECONDS_BUCKETS,
    }),
    publishSeconds: metrics.histogram({
      name: 'croupier_learner_publish_seconds',
      help: 'Time to publish the changed tallies of a partition.',
      buckets: SECONDS_BUCKETS,
    }),
    snapshots: metrics.counter({
      name: 'croupier_learner_snapshots_total',
      help: 'Snapshots published since the process began.',
      labelNames: ['experiment'],
    }),
    repairs: metrics.counter({
      name: 'croupier_learner_repairs_total',
      help: 'Tallies appended again because a learner that was not their owner any more had appended after them.',
    }),
    snapshotVersion: metrics.gauge({
      name: 'croupier_learner_snapshot_version',
      help: 'Version of the snapshot published last.',
      labelNames: ['experiment'],
    }),
  };
}

function noteState(meters: Meters, { partition, join: { state } }: TallyTask): void {
  for (const column of COUNT_NAMES) meters.events.set({ partition, column }, state.counts[column]);
  for (const stream of ['decisions', 'rewards'] as const) {
    meters.offset.set({ partition, stream }, state.offsets[stream]);
    meters.logClock.set({ partition, stream }, state.clocks[stream] / 1_000);
  }
}
