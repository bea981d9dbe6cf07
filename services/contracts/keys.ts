/**
 * What things are called on the log: topics, subjects and record keys.
 * Not here: partition counts and retention (deploy/topics.yaml).
 */
import type { ExperimentId } from '../core/events.ts';
import type { CohortTally } from '../core/learning/tally.ts';

/** The kinds of record, one topic each. */
export const RECORD_KINDS = ['experiment', 'decision', 'reward', 'tally', 'snapshot', 'dead-letter'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

export interface TopicNames {
  readonly experiments: string;
  readonly decisions: string;
  readonly rewards: string;
  readonly tallies: string;
  readonly snapshots: string;
  readonly deadLetters: string;
}

/**
 * @param prefix before every name, such as `staging.`; empty for none.
 * @param namespace before what a learner writes, so that several can learn from the same inputs; empty for the live one.
 * @param generation from 1; the next one when the number of partitions changes. Definitions are common to all.
 */
export function topicNames(prefix = '', namespace = '', generation = 1): TopicNames {
  const nth = generation === 1 ? '' : `-${generation}`;
  return {
    experiments: `${prefix}experiments`,
    decisions: `${prefix}decisions${nth}`,
    rewards: `${prefix}rewards${nth}`,
    tallies: `${prefix}${namespace}tallies${nth}`,
    snapshots: `${prefix}${namespace}snapshots${nth}`,
    deadLetters: `${prefix}${namespace}dead-letters${nth}`,
  };
}

export function topicOf(kind: RecordKind, topics: TopicNames): string {
  const names: Readonly<Record<RecordKind, string>> = {
    experiment: topics.experiments,
    decision: topics.decisions,
    reward: topics.rewards,
    tally: topics.tallies,
    snapshot: topics.snapshots,
    'dead-letter': topics.deadLetters,
  };
  return names[kind];
}

/** Confluent's TopicNameStrategy. */
export function subjectOf(topic: string): string {
  return `${topic}-value`;
}

export function cohortSumsKey(experimentId: ExperimentId, partition: number, cohort: number): string {
  return `${experimentId}/${partition}/${cohort}`;
}

/** The one tally of all closed cohorts. */
export function rolledUpSumsKey(experimentId: ExperimentId, partition: number): string {
  return `${experimentId}/${partition}/rolled-up`;
}

export function tallyKey(
  { experimentId, cohort, rolledUp }: Pick<CohortTally, 'experimentId' | 'cohort' | 'rolledUp'>,
  partition: number,
): string {
  return rolledUp ? rolledUpSumsKey(experimentId, partition) : cohortSumsKey(experimentId, partition, cohort);
}

/** @param key of the sums of a cohort, or of the rolled-up ones. */
export function experimentOfTallyKey(key: string): ExperimentId {
  return key.split('/').slice(0, -2).join('/') as ExperimentId;
}

/** Has one slash; a cohort's key has two or more, whatever the experiment's id. */
export function progressKey(partition: number): string {
  return `#progress/${partition}`;
}
