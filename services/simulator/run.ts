/**
 * One policy in one world with one seed, step by step: deliver what has arrived, publish, decide, observe. All policies
 * of one seed meet the same users and the same noise. A pure function of its options.
 */
import type { ArmId, Decision } from '../core/events.ts';
import type { Counts } from '../core/learning/counts.ts';
import { getOrInsert } from '../core/learning/sums.ts';
import { type Random, seededRandom } from '../core/random.ts';
import { parseDelay, type RewardReport } from './delays.ts';
import { findEnvironment } from './environments/catalogue.ts';
import { type LearnedReport, SimulatedLearner } from './learner.ts';
import { parsePolicy } from './policies.ts';
import { Recorder, type RunRecord } from './recorder.ts';

/** Plain data, so that it can be sent to another thread. */
export interface RunOptions {
  /** A name of the catalogue. */
  readonly environment: string;
  /** As parsePolicy takes it. */
  readonly policy: string;
  readonly seed: number;
  /** How many units ask, one a step. */
  readonly users: number;
  /** As parseDelay takes it. */
  readonly delay: string;
  /** Share of the rewards that never arrive. */
  readonly neverShare: number;
  /** A new snapshot before every so many decisions. */
  readonly snapshotEvery: number;
  /** Whether the decider counts what it has dealt since the snapshot. */
  readonly pendingExposure: boolean;
}

export interface Run extends RunRecord {
  /** The learner's books at the end. */
  readonly counts: Readonly<Counts>;
}

interface Arrival {
  readonly decision: Decision;
  readonly report: LearnedReport;
}

/** What a seed is used for; each use has a stream of its own. */
const STREAMS = ['world', 'users', 'noise', 'delay', 'loss'] as const;

/** @throws Invalid naming what is wrong in the options. */
export function simulate(options: RunOptions): Run {
  const { users, snapshotEvery, pendingExposure, seed } = options;
  const [worldRandom, userRandom, noise, delayRandom, lossRandom] = STREAMS.map((_, stream) =>
    seededRandom(seed + stream * 2 ** 32),
  ) as [Random, Random, Random, Random, Random];
  const world = findEnvironment(options.environment).create(worldRandom);
  const delay = parseDelay(options.delay);
  const learner = new SimulatedLearner(world, { seed, policy: parsePolicy(options.policy), pendingExposure });
  const recorder = new Recorder(world, users);
  /** By step after whose decision they arrive. */
  const arrivals = new Map<number, Arrival[]>();

  for (let step = 0; step < users; step++) {
    const unit = world.nextUnit(userRandom);
    learner.redefine(world, step);
    if (step % snapshotEvery === 0) learner.publish(step);
    const { decision, slots } = learner.decide(unit, step);
    const values = slots.map(({ armIndex }) => world.observe(unit, armIndex, noise));
    recorder.record(
      unit,
      slots.map(({ armIndex }) => armIndex),
      values,
    );
    const reports = decision.slots.flatMap(({ armId }, slot) => {
      const told = delay(values[slot]!, delayRandom).map((report) => ({ armId, ...report }));
      return lossRandom.next() < options.neverShare ? [] : told;
    });
    schedule(arrivals, decision, step, reports);
    for (const { decision: of, report } of arrivals.get(step) ?? []) learner.reward(of, report, step);
    arrivals.delete(step);
  }
  return { ...recorder.finish(), counts: learner.counts };
}

/** @param reports in the order in which they were made. */
function schedule(
  arrivals: Map<number, Arrival[]>,
  decision: Decision,
  step: number,
  reports: readonly (RewardReport & { readonly armId: ArmId })[],
): void {
  const last = reports.reduce((latest, { delaySteps }) => Math.max(latest, delaySteps), 0);
  const lastAt = reports.findLastIndex(({ delaySteps }) => delaySteps === last);
  for (const [at, { delaySteps, ...report }] of reports.entries()) {
    getOrInsert(arrivals, step + delaySteps, () => []).push({ decision, report: { ...report, isLast: at === lastAt } });
  }
}
