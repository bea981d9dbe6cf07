/**
 * `npm run bench -- learner`: the whole learner on real Kafka, as a process, beside a kafkajs consumer that only counts and
 * beside Kafka Streams, in turn, round after round. Every figure is a median over the rounds.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CHECKOUT, ensureStack, type Stack } from '../../deploy/local/ensure.ts';
import { standardErrorReporter } from '../../deploy/local/reporter.ts';
import { KafkaLog } from '../../services/platform/kafka/log.ts';
import { createLogger } from '../../services/platform/logging.ts';
import { type Bar, bar } from './bars.ts';
import { countWithKafkajs } from './learner/ceiling.ts';
import type { Shape } from './learner/events.ts';
import { type Cluster, prepareInputs } from './learner/inputs.ts';
import { type LearnerRun, measureLearner } from './learner/measure-learner.ts';
import { Peer } from './learner/peer.ts';
import { medianOf, type Rate } from './learner/rate.ts';

export interface LearnerBenchOptions {
  /** Rounds of each measurement. */
  readonly runs: number;
  /** Decisions that are timed, half of them with a reward. */
  readonly live: number;
  /** Decisions that wait without reward in the larger case; 0 leaves it out. */
  readonly pending: number;
  /** Folder of the peer; it is left out when there is none. */
  readonly peer: string;
}

const CONTEXT_FREE = { experiments: 20, arms: 3, dimension: 0 };
const LINEAR = { experiments: 1, arms: 20, dimension: 32 };
/** As many as the peer has. */
const THREADS = 2;
const SMALL_PENDING = 100_000;
/** What Kafka Streams reached here on two quiet cores: stands for it where it cannot be run. */
const PEER_TO_CEILING = 0.16;

export async function learnerBars(options: LearnerBenchOptions): Promise<readonly Bar[]> {
  const stack = await ensureStack({ reporter: standardErrorReporter('stack') });
  const logger = createLogger({ name: 'bench', level: 'error' });
  const brokers = stack.addresses.kafka;
  const log = new KafkaLog({ brokers: brokers.split(','), clientId: 'croupier-bench', logger });
  const registry = { url: stack.addresses.registry, auth: null, timeoutMs: 10_000, triesMax: 5 };
  try {
    return await new LearnerBench({ log, registry }, stack, options).bars();
  } finally {
    await log.close();
    // What was filled is kept for the next run, with the stack.
  }
}

class LearnerBench {
  private readonly cluster: Cluster;
  private readonly stack: Stack;
  private readonly options: LearnerBenchOptions;

  constructor(cluster: Cluster, stack: Stack, options: LearnerBenchOptions) {
    this.cluster = cluster;
    this.stack = stack;
    this.options = options;
  }

  async bars(): Promise<Bar[]> {
    const { live, pending, runs } = this.options;
    const shape: Shape = { pending: 0, live, ...CONTEXT_FREE };
    const linear: Shape = { pending: 0, live, ...LINEAR };
    const peer = await Peer.build(resolve(CHECKOUT, this.options.peer), this.stack.addresses.kafka);
    await peer?.prepare(this.cluster.log, 0);
    await prepareInputs(this.cluster, shape, 'all');
    await prepareInputs(this.cluster, linear, 'all');
    const learner: LearnerRun[] = [];
    const single: LearnerRun[] = [];
    const two: LearnerRun[] = [];
    const linUcb: LearnerRun[] = [];
    const ceiling: Rate[] = [];
    const peers: Rate[] = [];
    for (let round = 0; round < runs; round++) {
      ceiling.push(this.said('kafkajs, counting', await countWithKafkajs(this.stack.addresses.kafka, shape)));
      if (peer !== null) peers.push(this.said('Kafka Streams, Processor API', await peer.measure(0)));
      learner.push(this.said('learner, Beta TS', await this.learn(shape)));
      single.push(this.said('learner, Beta TS, one thread', await this.learn(shape, { threads: 1 })));
      linUcb.push(this.said('learner, LinUCB', await this.learn(linear)));
      two.push(this.said('learner, Beta TS, two processes', await this.learn(shape, { processes: 2, threads: 1 })));
    }
    const one = medianOf(learner);
    const bars = [
      bar('Beta TS, events/s to a counting kafkajs', ratio(one, medianOf(ceiling)), '×', 'at least', PEER_TO_CEILING),
      bar(
        'two processes, CPU an event to one',
        medianOf(two).cpuUsPerEvent / medianOf(single).cpuUsPerEvent,
        '×',
        'at most',
        1.2,
      ),
    ];
    const rival = peers.length > 0 ? medianOf(peers) : null;
    if (rival !== null) {
      bars.push(...against('Beta TS', one, rival, 1));
      bars.push(
        bar('LinUCB d = 32, 20 arms, events/s to the peer', ratio(medianOf(linUcb), rival), '×', 'at least', 0.8),
      );
    }
    if (pending > 0) bars.push(...(await this.pendingBars(rival)));
    return bars;
  }

  /** Stores with few and with many pending, each filled once; then the same live events on copies of them. */
  private async pendingBars(rival: Rate | null): Promise<Bar[]> {
    const few = await this.withPending(SMALL_PENDING);
    const many = await this.withPending(this.options.pending);
    const name = `${this.options.pending.toLocaleString('en')} pending`;
    return [
      ...(rival === null ? [] : against(`Beta TS, ${name}`, many, rival, 1)),
      bar(`RSS, ${name} to 100,000`, many.rssBytes / few.rssBytes, '×', 'at most', 1.25),
      bar(`commit, ${name} to 100,000`, many.commitMs / few.commitMs, '×', 'at most', 1.5),
    ];
  }

  private async withPending(pending: number): Promise<LearnerRun> {
    const shape: Shape = { pending, live: this.options.live, ...CONTEXT_FREE };
    const stores = await mkdtemp(join(tmpdir(), 'croupier-stores-'));
    try {
      await prepareInputs(this.cluster, shape, 'pending');
      await this.learn(shape, { until: pending, keepStores: stores });
      await prepareInputs(this.cluster, shape, 'all');
      const runs: LearnerRun[] = [];
      for (let round = 0; round < this.options.runs; round++) {
        runs.push(this.said(`learner, Beta TS, ${pending} pending`, await this.learn(shape, { stores })));
      }
      return medianOf(runs);
    } finally {
      await rm(stores, { recursive: true, force: true });
    }
  }

  private learn(shape: Shape, options: object = {}): Promise<LearnerRun> {
    return measureLearner(this.cluster, shape, { variables: this.stack.variables, threads: THREADS, ...options });
  }

  private said<T extends Rate>(name: string, rate: T): T {
    const { eventsPerSecond, cpuUsPerEvent, ...others } = rate as Rate & Partial<LearnerRun>;
    const rss = others.rssBytes === undefined ? '' : `, RSS ${(others.rssBytes / 2 ** 20).toFixed(0)} MB`;
    const commit = others.commitMs === undefined ? '' : `, commit ${others.commitMs.toFixed(1)} ms`;
    const line = `${eventsPerSecond.toFixed(0)} events/s, CPU ${cpuUsPerEvent.toFixed(1)} µs an event${rss}${commit}`;
    process.stderr.write(`${name}: ${line}\n`);
    return rate;
  }
}

function against(name: string, learner: Rate, peer: Rate, atLeast: number): Bar[] {
  return [
    bar(`${name}, events/s to the peer`, ratio(learner, peer), '×', 'at least', atLeast),
    bar(`${name}, CPU an event to the peer`, learner.cpuUsPerEvent / peer.cpuUsPerEvent, '×', 'at most', 1),
  ];
}

function ratio(one: Rate, other: Rate): number {
  return one.eventsPerSecond / other.eventsPerSecond;
}
