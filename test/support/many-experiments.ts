/**
 * A learner with many experiments that all have learned something, of which few go on: what it does for those, counted.
 */
import type { Codecs } from '../../services/contracts/codec.ts';
import type { ExperimentId } from '../../services/core/events.ts';
import type { Learner } from '../../services/learner/learner.ts';
import { decision, experiment, reward, T0 } from './core.ts';
import { World } from './world.ts';

/** What was done, counted since the last `start`. */
export interface Work {
  /** How many events the newest tally and the newest snapshot of each reflect. */
  readonly learnedTo: Map<ExperimentId, number>;
  readonly publishedTo: Map<ExperimentId, number>;
  commits: number;
  readonly talliesEncoded: ExperimentId[];
  readonly talliesDecoded: ExperimentId[];
  readonly snapshotsEncoded: ExperimentId[];
  readonly snapshotsDecoded: ExperimentId[];
}

export class ManyExperiments {
  readonly world: World;
  readonly learner: Learner;
  readonly work: Work;
  private events = 0;

  private constructor(world: World, learner: Learner, work: Work) {
    this.world = world;
    this.learner = learner;
    this.work = work;
  }

  static async create(count: number): Promise<ManyExperiments> {
    const world = await World.create({ partitions: 1 });
    for (let index = 0; index < count; index++) await world.define(experiment({ id: idOf(index) }));
    const work: Work = {
      learnedTo: new Map(),
      publishedTo: new Map(),
      commits: 0,
      talliesEncoded: [],
      talliesDecoded: [],
      snapshotsEncoded: [],
      snapshotsDecoded: [],
    };
    const learner = await world.learner({
      codecs: counting(world.codecs, work),
      settings: { pollRecordsMax: 500, commitIntervalMs: 20, publishIntervalMs: 20 },
      observer: { tally: { committed: () => void work.commits++ } },
    });
    const many = new ManyExperiments(world, learner, work);
    await many.deal(Array.from({ length: count }, (_, index) => index));
    return many;
  }

  /** One decision and its reward for each; resolves when their snapshots are published. */
  async deal(indexes: readonly number[]): Promise<void> {
    for (const index of indexes) {
      const id = `d${this.events++}`;
      const unit = `user-${this.events % 97}`;
      const experimentId = idOf(index);
      await this.world.send(
        { decision: decision({ id, unit, experimentId }) },
        { reward: reward({ id: `r-${id}`, unit, decision: id, atMs: T0 + 10 }) },
      );
    }
    await this.world.learned();
    const { learnedTo, publishedTo } = this.work;
    const isPublished = (index: number): boolean => publishedTo.get(idOf(index))! >= learnedTo.get(idOf(index))!;
    while (!indexes.every(isPublished)) await new Promise(setImmediate);
  }

  /** Forgets what was counted. */
  start(): void {
    this.work.commits = 0;
    for (const list of [this.work.talliesEncoded, this.work.talliesDecoded]) list.length = 0;
    for (const list of [this.work.snapshotsEncoded, this.work.snapshotsDecoded]) list.length = 0;
  }

  async stop(): Promise<void> {
    await this.learner.stop();
  }
}

export function idOf(index: number): ExperimentId {
  return `experiment-${index}` as ExperimentId;
}

function counting(codecs: Codecs, work: Work): Codecs {
  const { tally, snapshot } = codecs;
  return {
    ...codecs,
    tally: {
      prepare: (values) => tally.prepare(values),
      encode(value) {
        if (value.kind === 'sums') {
          work.talliesEncoded.push(value.experimentId);
          work.learnedTo.set(value.experimentId, value.offsets.decisions + value.offsets.rewards);
        }
        return tally.encode(value);
      },
      decode(bytes) {
        const value = tally.decode(bytes);
        if (value.kind === 'sums') work.talliesDecoded.push(value.experimentId);
        return value;
      },
    },
    snapshot: {
      prepare: (values) => snapshot.prepare(values),
      encode(value) {
        work.snapshotsEncoded.push(value.experimentId);
        work.publishedTo.set(value.experimentId, value.version);
        return snapshot.encode(value);
      },
      decode(bytes) {
        const value = snapshot.decode(bytes);
        work.snapshotsDecoded.push(value.experimentId);
        return value;
      },
    },
  };
}
