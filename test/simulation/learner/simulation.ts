/**
 * One run of a plan: learners and deciders over one log, faults at their times, and at the end everything held against
 * the truth. Owns the world; the product's own code does the learning, publishing and reading.
 */
import { type Codecs, createCodecs } from '../../../services/contracts/codec.ts';
import { topicNames } from '../../../services/contracts/keys.ts';
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import type { ExperimentId, PerStream } from '../../../services/core/events.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import { addCounts, type Counts, unaccounted, zeroCounts } from '../../../services/core/learning/counts.ts';
import { type ProgressTally, reflectedBy } from '../../../services/core/learning/tally.ts';
import { seededRandom } from '../../../services/core/random.ts';
import { EmbeddedLog } from '../../../services/platform/embedded/log.ts';
import { embeddedSchemaSource } from '../../../services/platform/embedded/schema-source.ts';
import type { AppendRecord, TopicPartition } from '../../../services/platform/log/port.ts';
import { settledCounts } from '../../support/core.ts';
import { topicSpecs } from '../../support/world.ts';
import { DeciderProcess } from './decider.ts';
import { Feed, limitsOf } from './feed.ts';
import { Groups } from './groups.ts';
import { Network } from './log.ts';
import { Machine } from './machine.ts';
import { Operator } from './operator.ts';
import type { EventSpec, Fault, Plan } from './plan.ts';
import { runUnder } from './runtime.ts';
import { Actor, Schedule, type Step } from './schedule.ts';
import { Weather } from './weather.ts';

export interface Outcome {
  /** What does not hold; empty when all does. */
  readonly failures: readonly string[];
  readonly trace: number;
  readonly steps: number;
  readonly happenings: ReadonlyMap<string, number>;
}

const STEPS_MAX = 400_000;
/** How long, on the schedule, what is left to do may take once nothing goes wrong any more. */
const CALM_MS_MAX = 5_000;
const TOPICS = topicNames();
let sharedCodecs: Codecs | undefined;

/** Never throws for what the product does; a failure is an answer. */
export async function simulate(plan: Plan, onStep?: (step: Step) => void): Promise<Outcome> {
  const simulation = new Simulation(plan, onStep);
  return simulation.run();
}

class Simulation {
  private readonly plan: Plan;
  private readonly schedule: Schedule;
  private readonly weather: Weather;
  private readonly log: EmbeddedLog;
  private readonly network: Network;
  private readonly feed: Feed;
  private readonly machines: Machine[];
  private deciders: DeciderProcess[] = [];
  private readonly operators: Operator[] = [];
  private readonly failures: string[] = [];
  private readonly progress = new Map<number, ProgressTally>();
  /** By key of a tally or a snapshot, how much the last one reflects. */
  private readonly reflected = new Map<string, PerStream>();
  /** By experiment, what stands last in the topic. */
  private readonly lastSnapshots = new Map<string, Buffer>();
  private readonly seen = new Map<string, ParametersSnapshot>();
  private readonly codecs: Codecs;
  private changed = true;

  constructor(plan: Plan, onStep?: (step: Step) => void) {
    this.plan = plan;
    this.schedule = new Schedule(seededRandom(plan.seed + 0.5 * 2 ** 40), onStep);
    runUnder(this.schedule);
    sharedCodecs ??= createCodecs(embeddedSchemaSource(TOPICS), TOPICS);
    this.codecs = sharedCodecs;
    this.weather = new Weather(this.schedule, plan.rates);
    this.feed = new Feed(plan, this.codecs, (topic, partition, record) => this.append({ topic, partition }, [record]));
    this.log = new EmbeddedLog({ folder: null, now: () => this.feed.logNowMs });
    const counts = new Map([
      [TOPICS.decisions, plan.partitions],
      [TOPICS.tallies, plan.talliesPartitions],
    ]);
    const groups = new Groups(this.weather, counts);
    this.network = new Network(this.log, this.weather, groups, (to, records) => this.appended(to, records));
    this.machines = Array.from({ length: plan.learners }, (_, index) => this.machine(index));
  }

  private machine(index: number): Machine {
    const { plan, codecs, network } = this;
    return new Machine({
      index,
      network,
      codecs,
      topics: TOPICS,
      settings: { ...plan.settings, generation: 1, limits: limitsOf(plan), groupId: 'learners', reopenDelayMs: 5 },
      fail: (what) => this.fail(what),
    });
  }

  async run(): Promise<Outcome> {
    const heard = (error: unknown): void => this.fail(`nobody caught ${describe(error)}`);
    process.on('unhandledRejection', heard);
    try {
      await this.log.admin.createTopics(
        topicSpecs(TOPICS, this.plan.partitions, 1_048_576, this.plan.talliesPartitions),
      );
      await this.live();
    } catch (error) {
      this.fail(describe(error));
    } finally {
      process.off('unhandledRejection', heard);
      for (const process of [...this.machines, ...this.operators]) process.die();
    }
    const { trace, steps } = this.schedule;
    for (const _ of this.seen) this.weather.note('snapshot held');
    return { failures: this.failures, trace, steps, happenings: this.weather.happenings };
  }

  private async live(): Promise<void> {
    this.feed.defineAll();
    for (const machine of this.machines) machine.start();
    this.deciders = [this.decider(0)];
    for (const fault of this.plan.faults)
      this.schedule.after(fault.atMs, `fault ${fault.kind}`, () => this.strike(fault), null);
    await this.play(this.plan.events);
    if (this.failures.length > 0) return;
    await this.settle('all was learned');
    if (this.failures.length > 0) return;
    await this.beginAnew();
    await this.play(this.plan.epilogue);
    await this.settle('a new learner learned the rest from compacted topics');
    if (this.failures.length > 0) return;
    this.checkBooks();
    await this.checkDeadLetters();
    this.checkSeen();
  }

  /** Everything but the log is lost, and of compacted topics all but the last of each key. */
  private async beginAnew(): Promise<void> {
    for (const machine of this.machines) machine.die();
    for (const decider of this.deciders) decider.die();
    for (const topic of [TOPICS.tallies, TOPICS.snapshots, TOPICS.experiments]) this.log.compact(topic);
    this.machines.splice(0, this.machines.length, this.machine(this.machines.length));
    this.machines[0]!.start();
    this.deciders = [this.decider(1)];
  }

  private async play(events: readonly EventSpec[]): Promise<void> {
    let left = events.length;
    const next = (index: number): void => {
      const event = events[index];
      if (event === undefined) return;
      this.schedule.after(
        event.waitMs,
        `event ${index}`,
        () => {
          const wanted = this.feed.play(event);
          const people = event.kind === 'promote' ? event.people : 1;
          if (wanted !== null) for (let i = 0; i < people; i++) this.operate(event.kind, wanted);
          left -= 1;
          next(index + 1);
        },
        null,
      );
    };
    next(0);
    const isDone = (): boolean => left === 0 || this.failures.length > 0;
    if (!(await this.schedule.run(isDone, STEPS_MAX))) this.fail('the events were never all played');
  }

  /** Runs until the faults are over and everything is learned, published and seen, or it takes too long. */
  private async settle(what: string): Promise<void> {
    const lastFaultMs = Math.max(0, ...this.plan.faults.map(({ atMs }) => atMs));
    let calmFromMs: number | null = null;
    let missing = '';
    const isDone = (): boolean => {
      if (this.failures.length > 0) return true;
      if (this.schedule.nowMs < lastFaultMs || this.machines.some((machine) => machine.isTroubled)) return false;
      if (calmFromMs === null) {
        this.weather.calmDown();
        calmFromMs = this.schedule.nowMs;
        this.changed = true;
      }
      if (this.operators.some((operator) => !operator.isDone)) missing = 'an operator is still at work';
      else {
        if (this.changed) missing = this.missing();
        this.changed = false;
      }
      return missing === '' || this.schedule.nowMs > calmFromMs + CALM_MS_MAX;
    };
    const ended = await this.schedule.run(isDone, STEPS_MAX);
    if (this.failures.length === 0 && (!ended || missing !== '')) this.fail(`not so: ${what}: ${missing || 'no end'}`);
  }

  /** @returns what is still to come; empty when everything is where it must end. */
  private missing(): string {
    const truth = this.feed.truth();
    for (const [partition, { end }] of truth.ends.entries()) {
      const reached = this.progress.get(partition)?.offsets ?? { decisions: 0, rewards: 0 };
      if (reached.decisions !== end.decisions || reached.rewards !== end.rewards) {
        return `partition ${partition} ends at ${JSON.stringify(end)}, its progress at ${JSON.stringify(reached)}`;
      }
    }
    for (const [id, digest] of truth.finalDigests()) {
      const bytes = this.lastSnapshots.get(id);
      if (bytes === undefined) return `no snapshot of ${id}`;
      const last = this.codecs.snapshot.decode(bytes);
      if (last.digest !== digest) return `the last snapshot of ${id}, version ${last.version}, is not the truth`;
      for (const decider of this.deciders) {
        if (decider.digestOf(id) !== digest) return `${decider.name} does not hold the last snapshot of ${id}`;
      }
    }
    return '';
  }

  private strike(fault: Fault): void {
    const { nowMs } = this.schedule;
    switch (fault.kind) {
      case 'operators':
        for (const operator of this.operators) operator.crash(fault.downMs);
        return;
      case 'operators-freeze':
        for (const operator of this.operators.filter((_, at) => at % 2 === fault.which)) operator.freeze(fault.forMs);
        return;
      case 'compact':
        this.weather.note('compaction');
        this.log.compact(TOPICS[fault.topic]);
        return;
      case 'decider':
        this.deciders[0]!.die();
        this.deciders[0] = this.decider(nowMs);
        return;
      case 'kill':
        this.machines[fault.learner]?.crash(fault.downMs, fault.disk);
        return;
      case 'stop':
        this.machines[fault.learner]?.stop(fault.downMs);
        return;
      default:
        this.machines[fault.learner]?.trouble(fault);
    }
  }

  private operate(kind: EventSpec['kind'], wanted: () => Experiment): void {
    const { network, codecs, plan } = this;
    const number = this.operators.length;
    this.operators.push(
      new Operator({
        ...{ number, network, codecs, topics: TOPICS, limits: limitsOf(plan), wanted },
        kind: kind === 'promote' ? kind : 'define',
        fail: (what) => this.fail(what),
      }),
    );
  }

  private decider(number: number): DeciderProcess {
    return new DeciderProcess({
      actor: new Actor(`decider ${Math.round(number)}`),
      network: this.network,
      codecs: this.codecs,
      topic: TOPICS.snapshots,
      seen: (snapshot) => {
        this.changed = true;
        this.seen.set(
          JSON.stringify([snapshot.experimentId, snapshot.experimentVersion, snapshot.digest, snapshot.offsets]),
          snapshot,
        );
      },
      fail: (what) => this.fail(what),
    });
  }

  private append(to: TopicPartition, records: readonly AppendRecord[]): void {
    const writer = this.log.writer();
    void this.network.append(writer, to, records);
    void writer.close();
  }

  /** Takes note of what is last of each key, which compaction keeps: it must never go back. */
  private appended({ topic }: TopicPartition, records: readonly AppendRecord[]): void {
    this.changed = true;
    for (const { key, value } of records) {
      if (key === null || value === null) continue;
      if (topic === TOPICS.tallies) {
        const tally = this.codecs.tally.decode(value);
        if (tally.kind === 'progress') this.progress.set(tally.partition, tally);
        this.assertNoStepBack(key, tally.offsets);
      } else if (topic === TOPICS.snapshots) {
        this.lastSnapshots.set(key, value);
        for (const { partition, ...offsets } of this.codecs.snapshot.decode(value).offsets) {
          this.assertNoStepBack(`snapshot of ${key} in ${partition}`, offsets);
        }
      } else if (topic === TOPICS.experiments) this.defined(value);
    }
  }

  private defined(value: Buffer): void {
    try {
      this.feed.defined(this.codecs.experiment.decode(value));
    } catch (error) {
      this.fail(describe(error));
    }
  }

  private assertNoStepBack(key: string, offsets: PerStream): void {
    const before = this.reflected.get(key);
    if (before !== undefined && !reflectedBy(before, offsets)) {
      this.fail(`${key} went from ${JSON.stringify(before)} back to ${JSON.stringify(offsets)}`);
    }
    this.reflected.set(key, offsets);
  }

  private checkBooks(): void {
    const counts: Counts = zeroCounts();
    for (const progress of this.progress.values()) addCounts(counts, progress.counts);
    const off = [unaccounted(counts, 'decisions'), unaccounted(counts, 'rewards')];
    if (off[0] !== 0 || off[1] !== 0) this.fail(`the books do not add up: ${JSON.stringify(counts)}`);
    const comparable = this.operators.some(({ hasPromoted }) => hasPromoted) ? lineIndependent : settledCounts;
    const [booked, true_] = [comparable(counts), comparable(this.feed.truth().finalCounts())];
    if (JSON.stringify(booked) !== JSON.stringify(true_)) {
      this.fail(`the books say ${JSON.stringify(booked)}, the truth is ${JSON.stringify(true_)}`);
    }
    this.checkPending(counts);
    for (const what of this.feed.truth().contradictions()) this.fail(what);
  }

  /** What has run out is pending until its unit is visited. */
  private checkPending(counts: Counts): void {
    const truth = this.feed.truth();
    // A promotion is not in the books of a partition before something has come.
    if ([...this.progress.values()].some(({ lines }) => lines.join() !== truth.lines.join())) return;
    const [least, most] = [truth.finalCountsWhenDropped(), truth.finalCounts()];
    for (const name of ['decisionsPending', 'rewardsPending'] as const) {
      if (counts[name] >= least[name] && counts[name] <= most[name]) continue;
      this.fail(`the books say ${name} ${counts[name]}, the truth is from ${least[name]} to ${most[name]}`);
    }
  }

  private async checkDeadLetters(): Promise<void> {
    const found = new Set<string>();
    const reader = this.log.reader();
    reader.assign([{ topic: TOPICS.deadLetters, partition: 0, offset: 0 }]);
    const read = reader.poll({ maxRecords: 1_000_000, waitMsMax: 0 }).then((batches) => {
      for (const { value } of batches.flatMap(({ records }) => records)) {
        const { topic, partition, offset } = this.codecs.deadLetter.decode(value!);
        found.add(`${topic}/${partition}/${offset}`);
      }
    });
    let done = false;
    void read.finally(() => {
      done = true;
    });
    await this.schedule.run(() => done, STEPS_MAX);
    const lost = this.feed
      .truth()
      .refused()
      .filter((place) => !found.has(place));
    if (lost.length > 0) this.fail(`no dead letter of ${lost.join(', ')}`);
  }

  /** Every snapshot that a decider ever held, against the truth at its offsets. */
  private checkSeen(): void {
    const truth = this.feed.truth();
    const snapshots = [...this.seen.values()].sort((a, b) => a.version - b.version);
    for (const { experimentId, experimentVersion, version, offsets, digest } of snapshots) {
      if (truth.digestAt(experimentId as ExperimentId, experimentVersion, offsets) === digest) continue;
      this.fail(
        `a decider held ${experimentId} version ${version}, which is not the truth at ${JSON.stringify(offsets)}`,
      );
      return;
    }
  }

  private fail(what: string): void {
    if (this.failures.length < 5) this.failures.push(what);
  }
}

/** Of the books, what does not depend on when a promotion changed how decisions and rewards find each other. */
function lineIndependent(counts: Counts): Record<string, number> {
  const {
    decisionsIn,
    decisionsDuplicate,
    decisionsCrowded,
    rewardsIn,
    rewardsCrowded,
    unaccounted: off,
  } = settledCounts(counts);
  return { decisionsIn, decisionsDuplicate, decisionsCrowded, rewardsIn, rewardsCrowded, off } as Record<
    string,
    number
  >;
}

function describe(error: unknown): string {
  return error instanceof Error
    ? `${error.name}: ${error.message}\n${error.stack?.split('\n').slice(1, 4).join('\n')}`
    : String(error);
}
