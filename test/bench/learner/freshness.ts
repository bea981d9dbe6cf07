/**
 * How long it takes from the append of a reward until a decider can deal by a snapshot that reflects it, at a steady rate of
 * events. Fills topics of its own as it goes, and removes them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { rethrow } from '../../../services/core/errors.ts';
import { type Served, ServedExperiments } from '../../../services/decider/served-experiments.ts';
import { ExperimentsView } from '../../../services/platform/experiments-view.ts';
import { partitionOf } from '../../../services/platform/log/partitioner.ts';
import type { AppendRecord } from '../../../services/platform/log/port.ts';
import { startProgress } from '../../../services/platform/progress.ts';
import { SnapshotsView } from '../../../services/platform/snapshots-view.ts';
import { events, type Shape } from './events.ts';
import { BEGIN_MS_AGO, type Cluster, type Inputs, PARTITIONS, prepareEmpty, removeInputs } from './inputs.ts';
import { Trial } from './trial.ts';

export interface FreshnessOptions {
  readonly variables: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly eventsPerSecond: number;
  readonly seconds: number;
}

const BURSTS_PER_SECOND = 100;
/** Until everything is compiled, and rewards come. */
const WARM_UP_SECONDS = 5;
/** Events that follow: a reward that changes no sum is reflected with the next one that does. */
const COOL_DOWN_SECONDS = 3;
const LAST_WAIT_MS = 5_000;
const SNAPSHOT_INTERVAL = '200ms';

/** A reward that no snapshot reflects yet. */
interface Waiting {
  readonly partition: number;
  readonly offset: number;
  readonly sentAtMs: number;
}

/** @returns ms, one for each reward that was sent after the warm-up. @throws Error when one was never reflected. */
export async function measureFreshness(
  cluster: Cluster,
  like: Omit<Shape, 'pending' | 'live'>,
  options: FreshnessOptions,
): Promise<number[]> {
  const total = options.eventsPerSecond * (WARM_UP_SECONDS + options.seconds + COOL_DOWN_SECONDS);
  const shape: Shape = { ...like, pending: 0, live: total, name: 'freshness' };
  await removeInputs(cluster, shape);
  try {
    const inputs = await prepareEmpty(cluster, shape);
    const variables = { ...options.variables, CROUPIER_LEARNER_PUBLISH_INTERVAL: SNAPSHOT_INTERVAL };
    const trial = await Trial.open(cluster, shape, variables);
    try {
      const learner = trial.start({ threads: options.threads, data: '0' });
      await learner.opened;
      const watched = new Watched(cluster, inputs, trial);
      await watched.start();
      await Promise.race([send(cluster, shape, inputs, options, watched), learner.stopped]);
      await watched.stop();
      return watched.times;
    } finally {
      await trial.close();
    }
  } finally {
    await removeInputs(cluster, shape);
  }
}

/** A decider's state, and the rewards that wait to be part of it. */
class Watched {
  readonly times: number[] = [];
  private readonly waiting = new Map<string, Waiting[]>();
  private readonly definitions: ExperimentsView;
  private readonly snapshots: SnapshotsView;

  constructor({ log }: Cluster, { topics }: Inputs, { topics: outputs, codecs }: Trial) {
    const served = new ServedExperiments((_, error) => rethrow(error));
    const views = { log, onRefused: rethrow, onUnavailable: rethrow, onFailed: rethrow };
    this.definitions = new ExperimentsView({
      ...views,
      topic: topics.experiments,
      codec: codecs.experiment,
      onDefined: (experiment) => served.define(experiment),
    });
    this.snapshots = new SnapshotsView({
      ...views,
      topic: outputs.snapshots,
      codec: codecs.snapshot,
      onSnapshot: (held) => {
        served.hold(held);
        this.reflected(served.find(held.snapshot.experimentId));
      },
    });
  }

  async start(): Promise<void> {
    await this.definitions.start();
    await this.definitions.catchUp();
    await this.snapshots.start();
  }

  /** Waits for what still waits. */
  async stop(): Promise<void> {
    const deadlineMs = performance.now() + LAST_WAIT_MS;
    while (this.waitingCount() > 0 && performance.now() < deadlineMs) await delay(1);
    await this.definitions.stop();
    await this.snapshots.stop();
    if (this.waitingCount() > 0) throw new Error(`${this.waitingCount()} rewards are in no snapshot`);
  }

  sent(experimentId: string, reward: Waiting): void {
    const queue = this.waiting.get(experimentId);
    if (queue === undefined) this.waiting.set(experimentId, [reward]);
    else queue.push(reward);
  }

  private reflected(served: Served | undefined): void {
    const snapshot = served?.held?.snapshot;
    if (snapshot === undefined) return;
    const nowMs = performance.now();
    const upTo = new Map(snapshot.offsets.map(({ partition, rewards }) => [partition, rewards]));
    const queue = this.waiting.get(snapshot.experimentId) ?? [];
    const still = queue.filter(({ partition, offset, sentAtMs }) => {
      if (offset >= (upTo.get(partition) ?? 0)) return true;
      this.times.push(nowMs - sentAtMs);
      return false;
    });
    this.waiting.set(snapshot.experimentId, still);
  }

  private waitingCount(): number {
    return [...this.waiting.values()].reduce((sum, queue) => sum + queue.length, 0);
  }
}

/** Sends bursts at a steady rate, whether or not the log keeps up. */
async function send(
  { log }: Cluster,
  shape: Shape,
  { topics, codecs }: Inputs,
  { eventsPerSecond, seconds }: FreshnessOptions,
  watched: Watched,
): Promise<void> {
  const writer = log.writer();
  const stream = events(shape, Date.now() - BEGIN_MS_AGO);
  const bursts = (WARM_UP_SECONDS + seconds + COOL_DOWN_SECONDS) * BURSTS_PER_SECOND;
  const progress = startProgress({ label: 'freshness', total: bursts, unit: 'bursts', to: process.stderr });
  const appends: Promise<void>[] = [];
  const beganMs = performance.now();
  for (let burst = 0; burst < bursts; burst++) {
    const dueMs = beganMs + (burst * 1_000) / BURSTS_PER_SECOND;
    await delay(Math.max(0, dueMs - performance.now()));
    const second = burst / BURSTS_PER_SECOND - WARM_UP_SECONDS;
    const isTimed = second >= 0 && second < seconds;
    const batches = new Map<string, (AppendRecord & { readonly experimentId: string | null })[]>();
    for (let left = eventsPerSecond / BURSTS_PER_SECOND; left > 0; left--) {
      const { decision, reward, experimentId = null } = stream.next().value!;
      const { unitId } = decision ?? reward;
      const value = decision === undefined ? codecs.reward.encode(reward) : codecs.decision.encode(decision);
      const place = `${decision === undefined ? topics.rewards : topics.decisions}/${partitionOf(unitId, PARTITIONS)}`;
      batches.set(place, [...(batches.get(place) ?? []), { key: unitId, value, experimentId }]);
    }
    for (const [place, records] of batches) {
      const [topic, partition] = place.split('/') as [string, string];
      const sentAtMs = performance.now();
      const appended = writer.append({ topic, partition: Number(partition) }, records).then((first) => {
        for (const [index, { experimentId }] of records.entries()) {
          if (!isTimed || experimentId === null) continue;
          watched.sent(experimentId, { partition: Number(partition), offset: first + index, sentAtMs });
        }
      });
      appends.push(appended);
    }
    progress.update(burst + 1);
  }
  await Promise.all(appends);
  await writer.close();
  progress.stop();
}
