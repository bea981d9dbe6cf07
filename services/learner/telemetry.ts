/**
 * What a learner tells of itself: metrics for each partition and experiment, and one log line where something is
 * handled. Decides nothing.
 */
import type { Logger } from '../platform/logging.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { LearnerObserver } from './learner.ts';
import { registerPartitionGauges, type Watched } from './partition-gauges.ts';

const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export interface TelemetryOptions extends Watched {
  /** A role stopped for good. */
  failed(error: unknown): void;
}

export function learnerTelemetry(metrics: Metrics, logger: Logger, watched: TelemetryOptions): LearnerObserver {
  const { failed, timeMs } = watched;
  const meters = learnerMeters(metrics);
  const snapshotTimes = registerSnapshotAge(metrics, timeMs);
  registerPartitionGauges(metrics, watched);
  return {
    tally: {
      folded: (task, records) => {
        meters.records.inc({ partition: task.partition }, records);
      },
      refused: ({ record, reason }) => {
        meters.deadLetters.inc({ stream: record.stream, reason: reason.code });
        logger.debug({ stream: record.stream, offset: record.record.offset, code: reason.code }, 'dead letter');
      },
      committed: (_task, { commitMs, publishMs }) => {
        meters.commitSeconds.observe(commitMs / 1_000);
        meters.publishSeconds.observe(publishMs / 1_000);
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
      published: ({ experimentId, version }, { publishMs }) => {
        meters.snapshotSeconds.observe(publishMs / 1_000);
        snapshotTimes.set(experimentId, timeMs());
        meters.snapshots.inc({ experiment: experimentId });
        meters.snapshotVersion.set({ experiment: experimentId }, version);
        logger.debug({ experimentId, version }, 'snapshot published');
      },
      refused: (experimentId, error) =>
        logger.error({ experimentId, err: error }, 'no new snapshot can be built; the last one stays'),
      unavailable: (error) => logger.warn({ err: error }, 'publishing waits'),
    },
    definitionRefused: (error) => logger.error({ err: error }, 'a definition cannot be read; the last good one stays'),
    unavailable: (error) => logger.warn({ err: error }, 'the log does not answer'),
    failed,
  };
}

function learnerMeters(metrics: Metrics) {
  return {
    records: metrics.counter({
      name: 'croupier_learner_records_total',
      help: 'Records read from the inputs since the process began.',
      labelNames: ['partition'],
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
    snapshotSeconds: metrics.histogram({
      name: 'croupier_learner_snapshot_seconds',
      help: 'Time to build a snapshot and append it.',
      buckets: SECONDS_BUCKETS,
    }),
    snapshots: metrics.counter({
      name: 'croupier_learner_snapshots_total',
      help: 'Snapshots published since the process began.',
      labelNames: ['experiment'],
    }),
    snapshotVersion: metrics.gauge({
      name: 'croupier_learner_snapshot_version',
      help: 'Version of the snapshot published last.',
      labelNames: ['experiment'],
      aggregator: 'max',
    }),
  };
}

/** @returns when each experiment's snapshot was published last, to be kept up to date. */
function registerSnapshotAge(metrics: Metrics, timeMs: () => number): Map<string, number> {
  const publishedAtMs = new Map<string, number>();
  metrics.gauge({
    name: 'croupier_learner_snapshot_age_seconds',
    help: 'Time since this process published a snapshot of the experiment.',
    labelNames: ['experiment'],
    aggregator: 'min',
    collect() {
      this.reset();
      for (const [experiment, atMs] of publishedAtMs) this.set({ experiment }, (timeMs() - atMs) / 1_000);
    },
  });
  return publishedAtMs;
}
