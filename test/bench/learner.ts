/**
 * `npm run bench -- learner`: the whole learner on real Kafka, as a process, beside a kafkajs consumer that only counts and
 * beside Kafka Streams, in turn, round after round, every ratio the median of the rounds' own; then what it costs to have many
 * decisions pending and to let a day of them run out, how fresh snapshots are, and how soon a killed learner is back.
 */
import { resolve } from 'node:path';
import { quantile } from '../../deploy/demo/report.ts';
import { CHECKOUT, ensureStack, type Stack } from '../../deploy/local/ensure.ts';
import { standardErrorReporter } from '../../deploy/local/reporter.ts';
import { createCodecs } from '../../services/contracts/codec.ts';
import { KafkaLog } from '../../services/platform/kafka/log.ts';
import { createLogger } from '../../services/platform/logging.ts';
import { openRegistrySource } from '../../services/platform/registry/source.ts';
import { type Bar, bar } from './bars.ts';
import { countWithKafkajs } from './learner/ceiling.ts';
import type { Shape } from './learner/events.ts';
import { measureExpiry } from './learner/expiry.ts';
import { measureFreshness } from './learner/freshness.ts';
import { type Cluster, prepareInputs } from './learner/inputs.ts';
import { type LearnerRun, measureLearner } from './learner/measure-learner.ts';
import { PEER_PENDING_MAX, Peer } from './learner/peer.ts';
import type { Rate } from './learner/rate.ts';
import { measureRecovery, type Recovery } from './learner/recovery.ts';
import { median } from './measure.ts';

export const PARTS = ['throughput', 'pending', 'expiry', 'freshness', 'recovery'] as const;
export type Part = (typeof PARTS)[number];

export interface LearnerBenchOptions {
  /** All when empty. */
  readonly only: readonly Part[];
  /** Rounds of each measurement. */
  readonly runs: number;
  /** Decisions that are timed, half of them with a reward. */
  readonly live: number;
  /** Decisions that wait without reward in the larger case, and while a learner is killed. */
  readonly pending: number;
  /** While freshness is measured. */
  readonly rate: number;
  /** How long freshness is measured. */
  readonly seconds: number;
  /** Folder of the peer; it is left out when there is none. */
  readonly peer: string;
}

const CONTEXT_FREE = { experiments: 20, arms: 3, dimension: 0 };
const LINEAR = { experiments: 1, arms: 20, dimension: 32 };
/** As many as the peer has. */
const THREADS = 2;
const PEER_NAME = 'Kafka Streams, Processor API';
const SMALL_PENDING = 100_000;
/** What a killed learner finds to learn when it is back. */
const LIVE_AFTER_KILL_MAX = 200_000;
/** What Kafka Streams reached here on two quiet cores: stands for it where it cannot be run. */
const PEER_TO_CEILING = 0.16;

type Run = Rate | Recovery | number;

/** @returns the bars, and each run that they are medians of, by what was measured. */
export async function learnerBars(
  options: LearnerBenchOptions,
): Promise<{ readonly bars: readonly Bar[]; readonly runs: Readonly<Record<string, readonly Run[]>> }> {
  const stack = await ensureStack({ reporter: standardErrorReporter('stack') });
  const logger = createLogger({ name: 'bench', level: 'error' });
  const brokers = stack.addresses.kafka;
  const log = new KafkaLog({ brokers: brokers.split(','), clientId: 'croupier-bench', logger });
  const registry = { url: stack.addresses.registry, auth: null, timeoutMs: 10_000, triesMax: 5 };
  try {
    const bench = new LearnerBench({ log, registry }, stack, options);
    return { bars: await bench.bars(), runs: Object.fromEntries(bench.runs) };
  } finally {
    await log.close();
    // What was filled is kept for the next run, with the stack.
  }
}

class LearnerBench {
  readonly runs = new Map<string, readonly Run[]>();
  private readonly cluster: Cluster;
  private readonly stack: Stack;
  private readonly options: LearnerBenchOptions;

  constructor(cluster: Cluster, stack: Stack, options: LearnerBenchOptions) {
    this.cluster = cluster;
    this.stack = stack;
    this.options = options;
  }

  async bars(): Promise<Bar[]> {
    const { only } = this.options;
    const bars: Bar[] = [];
    for (const part of PARTS) if (only.length === 0 || only.includes(part)) bars.push(...(await this[part]()));
    return bars;
  }

  private async throughput(): Promise<Bar[]> {
    const { live, runs } = this.options;
    const shape: Shape = { pending: 0, live, ...CONTEXT_FREE };
    const linear: Shape = { pending: 0, live, ...LINEAR };
    const peer = await this.peerWith(0);
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
      if (peer !== null) peers.push(this.said(PEER_NAME, await peer.measure(0)));
      learner.push(this.said('learner, Beta TS', await this.learn(shape)));
      single.push(this.said('learner, Beta TS, one thread', await this.learn(shape, { threads: 1 })));
      linUcb.push(this.said('learner, LinUCB', await this.learn(linear)));
      two.push(this.said('learner, Beta TS, two processes', await this.learn(shape, { processes: 2, threads: 1 })));
    }
    // The peer's own ratio to it, in this run where it was run.
    const needed = peer === null ? PEER_TO_CEILING : byRound(peers, ceiling, 'eventsPerSecond');
    const bars = [
      bar(
        'Beta TS, events/s to a counting kafkajs',
        byRound(learner, ceiling, 'eventsPerSecond'),
        '×',
        'at least',
        needed,
      ),
      bar('two processes of a thread, CPU an event to one', byRound(two, single, 'cpuUsPerEvent'), '×', 'at most', 1.2),
    ];
    if (peer === null) return bars;
    return [
      ...bars,
      ...against('Beta TS', learner, peers),
      bar(
        'LinUCB d = 32, 20 arms, events/s to the peer',
        byRound(linUcb, peers, 'eventsPerSecond'),
        '×',
        'at least',
        0.8,
      ),
    ];
  }

  /** The same live events after few and after many decisions that stay without reward. */
  private async pending(): Promise<Bar[]> {
    const { pending, live, runs } = this.options;
    const peerPending = Math.min(pending, PEER_PENDING_MAX);
    const peer = await this.peerWith(peerPending);
    const few: Shape = { pending: SMALL_PENDING, live, ...CONTEXT_FREE };
    const many: Shape = { pending, live, ...CONTEXT_FREE };
    for (const shape of [few, many]) await prepareInputs(this.cluster, shape, 'all');
    const peers: Rate[] = [];
    const [withFew, withMany]: [LearnerRun[], LearnerRun[]] = [[], []];
    for (let round = 0; round < runs; round++) {
      if (peer !== null) peers.push(this.said(`${PEER_NAME}, ${peerPending} pending`, await peer.measure(peerPending)));
      withFew.push(this.said(`learner, ${SMALL_PENDING} pending`, await this.learn(few)));
      withMany.push(this.said(`learner, ${pending} pending`, await this.learn(many)));
    }
    const name = `${pending.toLocaleString('en')} pending`;
    const theirs = peerPending === pending ? '' : ` (the peer ${peerPending.toLocaleString('en')})`;
    return [
      ...(peer === null ? [] : against(`Beta TS, ${name}${theirs}`, withMany, peers)),
      bar(`RSS, ${name} to 100,000`, byRound(withMany, withFew, 'rssBytes'), '×', 'at most', 1.25),
      bar(`commit, ${name} to 100,000`, byRound(withMany, withFew, 'commitMs'), '×', 'at most', 1.5),
    ];
  }

  private async expiry(): Promise<Bar[]> {
    const { live, runs } = this.options;
    const shape: Shape = { pending: 0, live, ...CONTEXT_FREE };
    const topics = await prepareInputs(this.cluster, shape, 'pending');
    const { tally } = createCodecs(await openRegistrySource(this.cluster.registry, topics), topics);
    const shares = await measureExpiry(shape, tally, runs);
    const name = `throughput while a day of ${live.toLocaleString('en')} decisions runs out`;
    process.stderr.write(`${name}, by round: ${shares.map((share) => share.toFixed(3)).join(', ')}\n`);
    this.runs.set(name, shares);
    return [bar(name, median(shares), '×', 'at least', 0.95)];
  }

  private async freshness(): Promise<Bar[]> {
    const { rate, seconds } = this.options;
    const times = await measureFreshness(this.cluster, CONTEXT_FREE, {
      ...this.running(),
      eventsPerSecond: rate,
      seconds,
    });
    const name = `reward to snapshot in the decider at ${rate.toLocaleString('en')} events/s`;
    const rewards = `of ${times.length.toLocaleString('en')} rewards`;
    return [
      bar(`${name}, p50 ${rewards}`, quantile(times, 0.5)!, 'ms', 'at most', 300),
      bar(`${name}, p99 ${rewards}`, quantile(times, 0.99)!, 'ms', 'at most', 1_000),
    ];
  }

  /** The steady rate is that of live events, with as many pending. */
  private async recovery(): Promise<Bar[]> {
    const { pending, live } = this.options;
    const many: Shape = { pending, live, ...CONTEXT_FREE };
    const recovery = await measureRecovery(
      this.cluster,
      { ...many, live: Math.min(live, LIVE_AFTER_KILL_MAX) },
      this.running(),
    );
    const { snapshotMs, firstPerSecond, rebuiltPerSecond } = recovery;
    this.runs.set('recovery', [recovery]);
    await prepareInputs(this.cluster, many, 'all');
    const { eventsPerSecond: steadyPerSecond } = this.said(`learner, ${pending} pending`, await this.learn(many));
    const rates = `${rebuiltPerSecond.toFixed(0)} events/s rebuilt, ${firstPerSecond.toFixed(0)} when learned first`;
    process.stderr.write(`recovery: snapshot ${snapshotMs.toFixed(0)} ms after the session timeout; ${rates}\n`);
    const name = `${pending.toLocaleString('en')} pending`;
    return [
      bar(`kill -9 with ${name}, first snapshot after the session timeout`, snapshotMs / 1_000, 's', 'at most', 5),
      bar(`empty disk, ${name}, to the steady rate`, rebuiltPerSecond / steadyPerSecond, '×', 'at least', 1.5),
    ];
  }

  /** @returns `null` when there is none. */
  private async peerWith(pending: number): Promise<Peer | null> {
    const peer = await Peer.build(resolve(CHECKOUT, this.options.peer), this.stack.addresses.kafka);
    await peer?.prepare(this.cluster.log, pending);
    return peer;
  }

  private running(): { readonly variables: Readonly<Record<string, string>>; readonly threads: number } {
    return { variables: this.stack.variables, threads: THREADS };
  }

  private learn(shape: Shape, options: object = {}): Promise<LearnerRun> {
    return measureLearner(this.cluster, shape, { ...this.running(), ...options });
  }

  private said<T extends Rate>(name: string, rate: T): T {
    const { eventsPerSecond, cpuUsPerEvent, ...others } = rate as Rate & Partial<LearnerRun>;
    const rss = others.rssBytes === undefined ? '' : `, RSS ${(others.rssBytes / 2 ** 20).toFixed(0)} MB`;
    const commit = others.commitMs === undefined ? '' : `, commit ${others.commitMs.toFixed(1)} ms`;
    const line = `${eventsPerSecond.toFixed(0)} events/s, CPU ${cpuUsPerEvent.toFixed(1)} µs an event${rss}${commit}`;
    process.stderr.write(`${name}: ${line}\n`);
    this.runs.set(name, [...(this.runs.get(name) ?? []), rate]);
    return rate;
  }
}

function against(name: string, learner: readonly Rate[], peer: readonly Rate[]): Bar[] {
  return [
    bar(`${name}, events/s to the peer`, byRound(learner, peer, 'eventsPerSecond'), '×', 'at least', 1),
    bar(`${name}, CPU an event to the peer`, byRound(learner, peer, 'cpuUsPerEvent'), '×', 'at most', 1),
  ];
}

/** @returns the median over the rounds of one to the other: a slow minute is both's. */
function byRound<Field extends string>(
  ones: readonly Readonly<Record<Field, number>>[],
  others: readonly Readonly<Record<Field, number>>[],
  field: Field,
): number {
  return median(ones.map((one, round) => one[field] / others[round]![field]));
}
