/** `croupier repartition` on an embedded log: from one world's topics to those of the next. */

import { rethrow } from '../../services/core/errors.ts';
import {
  type Plan,
  planRepartition,
  type Repartitioned,
  type RepartitionOptions,
  repartition,
} from '../../services/learner/repartition/repartition.ts';
import { readExperiments } from '../../services/platform/experiments-view.ts';
import type { Log } from '../../services/platform/log/port.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { World } from './world.ts';

export interface Repartitioning extends Partial<Omit<RepartitionOptions, 'source' | 'target' | 'rules'>> {
  readonly log?: Log;
}

/** Topics of the next generation, empty. */
export async function nextGeneration(world: World, partitions: number): Promise<World> {
  return World.create({ after: world, partitions, limits: world.limits });
}

export async function repartitionInto(
  from: World,
  to: World,
  overrides: Repartitioning = {},
): Promise<Repartitioned & { readonly plan: Plan }> {
  const log = overrides.log ?? from.log;
  const experiments = await readExperiments({ ...from, log });
  const options: RepartitionOptions = {
    source: from,
    target: to,
    rules: { experiments, limits: from.limits },
    openStore: async () => new MemoryStore(),
    nowMs: () => from.clock.nowMs,
    holdBackMs: 0,
    quietMs: null,
    pollIntervalMs: 1,
    chunkRecords: 60,
    stop: new AbortController().signal,
    observer: { copied: () => {}, learning: () => {}, begun: () => {}, unavailable: rethrow },
    ...overrides,
    log,
  };
  const plan = await planRepartition(options, to.partitions);
  return { ...(await repartition(options, plan)), plan };
}
