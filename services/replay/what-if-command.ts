/** One run of `croupier replay --what-if`: finds the experiment, samples where there is too much, judges, tells. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseExperimentFile } from '../contracts/experiment-file.ts';
import { Invalid } from '../core/errors.ts';
import type { ExperimentId } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import { candidateDefinition } from '../core/experiment-change.ts';
import { allPolicies } from '../core/policies/registry.ts';
import { unknownExperiment } from '../platform/experiment-store.ts';
import { readExperiments } from '../platform/experiments-view.ts';
import { joinLimits } from '../platform/join/limits-config.ts';
import type { Progress } from '../platform/progress.ts';
import type { Store } from '../platform/store/port.ts';
import type { ReplayValues } from './config.ts';
import type { ReplaySource } from './plan.ts';
import { lengthOf, parsePosition, spanOf } from './span.ts';
import { onlyOne, type WhatIf, whatIf } from './what-if.ts';

/** So many decisions are kept in memory at most, as far as can be said beforehand; of more, those of a share of the units. */
const DECISIONS_MAX = 1_000_000;

export interface WhatIfPorts extends ReplaySource {
  readFile(path: string): Promise<string>;
  openStore(folder: string): Promise<Store>;
  startProgress(total: number): Progress;
}

/** @param file with the candidate's definition. */
export async function runWhatIf(values: ReplayValues, file: string, ports: WhatIfPorts): Promise<WhatIf> {
  const { judgeBy, parts, matureAfter, pollRecordsMax } = values;
  const wanted = onlyOne(file, parseExperimentFile(file, await textOf(file, ports), allPolicies()));
  const experiments = await readExperiments(ports);
  const live = standingOf(wanted, experiments);
  const span = await spanOf(ports.log, ports.topics, {
    from: values.from === null ? null : parsePosition('--from', values.from),
    to: values.to === null ? null : parsePosition('--to', values.to),
  });
  const events = span.to.reduce((sum, to, partition) => sum + lengthOf(span.from[partition]!, to), 0);
  const decisions = span.to.reduce((sum, to, partition) => sum + to.decisions - span.from[partition]!.decisions, 0);
  await mkdir(values.data, { recursive: true });
  const folder = await mkdtemp(join(values.data, 'what-if-'));
  const progress = ports.startProgress(events);
  let done = 0;
  try {
    return await whatIf({
      ...{ log: ports.log, topics: ports.topics, codecs: ports.codecs },
      ...{ experiments, live, candidate: candidateDefinition(live, wanted), judgeBy, parts, matureMs: matureAfter },
      ...{ limits: joinLimits(values), pollRecordsMax, span },
      share: Math.min(1, DECISIONS_MAX / Math.max(1, decisions)),
      openStore: (name) => ports.openStore(join(folder, name)),
      onRecords(records) {
        done += records;
        progress.update(done);
      },
    });
  } finally {
    progress.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws Invalid `file`. */
export async function textOf(file: string, { readFile }: Pick<WhatIfPorts, 'readFile'>): Promise<string> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new Invalid('file', `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** @throws Invalid `experiment-unknown`. */
export function standingOf({ id }: Experiment, experiments: ReadonlyMap<ExperimentId, Experiment>): Experiment {
  const live = experiments.get(id);
  if (live !== undefined) return live;
  const advice = 'the candidate has the id of the one whose log it is judged by';
  throw unknownExperiment(id, [...experiments.keys()], advice);
}
