/**
 * What learners must have made of the inputs: the pure core run over them, in memory, a partition at a time, all of its
 * decisions before all of its rewards and dropping nothing. Knows no store, no commit, no tallies.
 */
import { sealSnapshot } from '../../services/contracts/seal.ts';
import { Invalid } from '../../services/core/errors.ts';
import { type ExperimentId, STREAMS } from '../../services/core/events.ts';
import type { JoinLimits } from '../../services/core/join/group.ts';
import { addCounts, type Counts, zeroCounts } from '../../services/core/learning/counts.ts';
import { MergedSums } from '../../services/core/learning/merge.ts';
import type { Rules } from '../../services/core/learning/partition.ts';
import { readExperiments } from '../../services/platform/experiments-view.ts';
import { type InputRecord, parseBatch } from '../../services/platform/join/input.ts';
import { readToEnd } from '../../services/platform/log/read-to-end.ts';
import { CoreReading, type Recorded } from '../simulation/learner/truth.ts';
import type { Installation } from '../support/installation.ts';

export interface CoreRun {
  readonly counts: Counts;
  /** Of the snapshot that reflects it all. */
  readonly digest: string;
}

export interface CoreRunOptions {
  readonly experimentId: ExperimentId;
  readonly partitions: number;
  readonly limits: JoinLimits;
  onRecords(records: number): void;
}

export async function runCore(installation: Installation, options: CoreRunOptions): Promise<CoreRun> {
  const { experimentId, partitions, limits } = options;
  const experiments = await readExperiments(installation);
  const counts = zeroCounts();
  const merged = new MergedSums();
  for (let partition = 0; partition < partitions; partition++) {
    const { state } = await readPartition(installation, options, partition, { experiments, limits });
    addCounts(counts, state.counts);
    for (const { experimentId: id, cohort, sums } of state.sums.entries()) {
      if (id === experimentId) merged.replace(partition, cohort, sums);
    }
  }
  return { counts, digest: sealSnapshot(experiments.get(experimentId)!, merged, new Map()).digest };
}

async function readPartition(
  { log, topics, codecs }: Installation,
  { partitions, onRecords }: CoreRunOptions,
  partition: number,
  rules: Rules,
): Promise<CoreReading> {
  const reading = new CoreReading(rules);
  for (const stream of STREAMS) {
    for await (const batch of readToEnd(log, [{ topic: topics[stream], partition, offset: 0 }])) {
      for (const input of await parseBatch(batch, { stream, codecs, partitions })) reading.read(recorded(input));
      onRecords(batch.records.length);
    }
  }
  return reading;
}

function recorded({ stream, record, event }: InputRecord): Recorded {
  const { appendTimeMs } = record;
  if (event instanceof Invalid) return { stream, appendTimeMs, event: null };
  return stream === 'decisions'
    ? { stream, appendTimeMs, event: { stream, clockMs: appendTimeMs, decision: event } }
    : { stream, appendTimeMs, event: { stream, clockMs: appendTimeMs, reward: event } };
}
