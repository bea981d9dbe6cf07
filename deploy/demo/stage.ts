/**
 * What the demo plays on: a log, learners that can be killed, and a decider. Two stages play the same piece: one in
 * this process on the embedded log, one with real processes on Kafka.
 */
import type { Codecs } from '../../services/contracts/codec.ts';
import { type TopicNames, topicNames } from '../../services/contracts/keys.ts';
import type { JoinLimits } from '../../services/core/join/group.ts';
import type { Log } from '../../services/platform/log/port.ts';

/** The live learner, one that learns from the same inputs undisturbed, and one that has nothing but the live one's tallies. */
export const LEARNERS = ['live', 'undisturbed', 'rebuilt'] as const;
export type LearnerName = (typeof LEARNERS)[number];

export interface Stage {
  readonly kind: 'embedded' | 'kafka';
  readonly log: Log;
  /** Before the names of the topics of this run. */
  readonly prefix: string;
  readonly partitions: number;
  codecs(topics: TopicNames): Codecs;
  /** Resolves when it has its partitions. @param disk whether it finds what it left there. */
  startLearner(name: LearnerName, disk: 'kept' | 'empty'): Promise<RunningLearner>;
  /** @returns the address of its gRPC interface. */
  startDecider(): Promise<string>;
  close(): Promise<void>;
}

export interface RunningLearner {
  /** Without warning: nothing is committed, published or said goodbye to. */
  kill(): Promise<void>;
}

/** In the demo a day of the simulated world lasts this long. */
export const DAY_MS = 300;

/** Long enough for 30 such days; short enough that the demo sees decisions run out. */
export const DEMO_LIMITS: JoinLimits = {
  windowMs: 10_000,
  graceMs: 2_000,
  earlyGraceMs: 2_000,
  unitEventsMax: 200,
  unitSpanMs: DAY_MS,
};

export function topicsOf(prefix: string, learner: LearnerName): TopicNames {
  return topicNames(prefix, learner === 'live' ? '' : `${learner}.`);
}
