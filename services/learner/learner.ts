/**
 * The learner: definitions, the tally role and the publish role, in one process. Chooses no implementation.
 */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { Fenced, type Invalid, type Unavailable } from '../core/errors.ts';
import type { JoinLimits } from '../core/join/group.ts';
import { ExperimentsView } from '../platform/experiments-view.ts';
import { partitionCountOf } from '../platform/log/partition-count.ts';
import type { Log } from '../platform/log/port.ts';
import type { Store } from '../platform/store/port.ts';
import { PublishRole } from './publish-role.ts';
import type { PublisherObserver } from './publisher.ts';
import { assertSeeded } from './repartition/seed.ts';
import { TallyRole, type TallyRoleObserver } from './tally-role.ts';

export interface LearnerSettings {
  /** Of the topics. From the second one on they begin with what was learned in the one before. */
  readonly generation: number;
  /** Learners of one group share the partitions; the publish role's group is named after it. */
  readonly groupId: string;
  readonly limits: JoinLimits;
  readonly sessionTimeoutMs: number;
  readonly commitIntervalMs: number;
  readonly publishIntervalMs: number;
  /** Decisions and counted rewards that must be new before a snapshot is published, unless the last one is so old. */
  readonly publishEventsMin: number;
  readonly publishWaitMsMax: number;
  /** Age at which cohorts are added into one, when nothing weighs them. */
  readonly rollUpAgeMs: number;
  readonly pollRecordsMax: number;
  readonly reopenDelayMs: number;
}

export interface LearnerObserver {
  readonly tally: TallyRoleObserver;
  readonly publish: PublisherObserver;
  definitionRefused(error: Invalid): void;
  unavailable(error: Unavailable): void;
  /** A role stopped for good: the process should stop loudly. */
  failed(error: unknown): void;
}

export interface LearnerOptions {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly codecs: Codecs;
  openStore(partition: number): Promise<Store>;
  nowMs(): number;
  readonly settings: LearnerSettings;
  readonly observer: LearnerObserver;
}

export interface Learner {
  readonly tally: TallyRole;
  /** `null` when every partition owned is restored and every tally owned has been read; else what is missing. */
  notReady(): string | null;
  /** Hands everything over: commits, publishes, leaves its groups. */
  stop(): Promise<void>;
}

/** @throws Invalid when a topic is missing, not filled yet, or the inputs are not co-partitioned; Unavailable. */
export async function startLearner(options: LearnerOptions): Promise<Learner> {
  const { log, topics, codecs, settings, observer } = options;
  // Who is fenced has been told, and others go on: nothing to stop the process for.
  const failed = (error: unknown): void => {
    if (!(error instanceof Fenced)) observer.failed(error);
  };
  const experiments = new ExperimentsView({
    log,
    topic: topics.experiments,
    codec: codecs.experiment,
    onDefined: (experiment) => publish.defined(experiment),
    onRefused: (error) => observer.definitionRefused(error),
    onUnavailable: (error) => observer.unavailable(error),
    onFailed: failed,
  });
  const [talliesPartitions, snapshotsPartitions] = await Promise.all([
    partitionCountOf(log, topics.tallies),
    partitionCountOf(log, topics.snapshots),
  ]);
  const publish = new PublishRole({
    ...options,
    ...settings,
    groupId: `${settings.groupId}-publish`,
    talliesPartitions,
    snapshotsPartitions,
    experiments: experiments.experiments,
    observer: observer.publish,
    failed,
  });
  const tally = new TallyRole({ ...options, ...settings, experiments, observer: observer.tally });
  if (settings.generation > 1) await assertSeeded(log, topics);
  await experiments.start();
  await Promise.all([tally.start(), publish.start()]);
  return {
    tally,
    notReady() {
      const [restoring, reading] = [tally.restoring(), publish.reading()].map((partitions) => partitions.join(', '));
      if (restoring !== '') return `partitions being restored: ${restoring}`;
      return reading === '' ? null : `partitions of ${topics.tallies} being read: ${reading}`;
    },
    async stop() {
      await tally.stop();
      await publish.stop();
      await experiments.stop();
    },
  };
}
