/**
 * Somebody who changes a definition, or has a candidate take over, with the product's own code: a process that may be
 * killed between any two steps, and does the same again until it is done. Owns the disks of its replay.
 */
import type { Codecs } from '../../../services/contracts/codec.ts';
import type { TopicNames } from '../../../services/contracts/keys.ts';
import { Invalid, rethrow, Unavailable } from '../../../services/core/errors.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import type { JoinLimits } from '../../../services/core/join/group.ts';
import { ExperimentStore } from '../../../services/platform/experiment-store.ts';
import { replayPartition } from '../../../services/replay/partition.ts';
import type { ReplaySource } from '../../../services/replay/plan.ts';
import { type PromotionPlan, planPromotion, promote } from '../../../services/replay/promote.ts';
import { runReplay } from '../../../services/replay/replay.ts';
import { Disk, SimulatedStore } from './disk.ts';
import { type Network, SimulatedLog } from './log.ts';
import { Actor } from './schedule.ts';
import { Troubles } from './weather.ts';

export interface OperatorOptions {
  readonly number: number;
  readonly network: Network;
  readonly codecs: Codecs;
  readonly topics: TopicNames;
  readonly limits: JoinLimits;
  /** Out of the definition that stands. */
  wanted(): Experiment;
  readonly kind: 'define' | 'promote';
  fail(what: string): void;
}

const RETRY_MS = 15;
/** What is told who wanted a change of what does not stand any more. */
const OVERTAKEN: readonly string[] = ['promotion-overtaken', 'experiment-change'];
const COMMIT_RECORDS = 7;
const POLL_RECORDS_MAX = 10;

export class Operator {
  isDone = false;
  private readonly options: OperatorOptions;
  private actor: Actor;
  private lives = 0;
  /** What the command keeps in its folder, so that it goes on to the same end. */
  private planned: PromotionPlan | null = null;
  private disks = new Map<number, Disk>();

  constructor(options: OperatorOptions) {
    this.options = options;
    this.actor = this.begin(0);
  }

  /** Without warning. */
  crash(downMs: number): void {
    if (this.isDone || !this.actor.alive) return;
    this.options.network.weather.note('operator killed');
    this.die();
    this.actor = this.begin(downMs);
  }

  freeze(forMs: number): void {
    if (this.isDone) return;
    const { weather } = this.options.network;
    weather.note('operator frozen');
    this.actor.frozenUntilMs = weather.schedule.nowMs + forMs;
  }

  get hasPromoted(): boolean {
    return this.options.kind === 'promote';
  }

  die(): void {
    this.actor.alive = false;
  }

  private begin(delayMs: number): Actor {
    const actor = new Actor(`operator ${this.options.number}.${this.lives++}`);
    const { schedule } = this.options.network.weather;
    schedule.after(delayMs, `${actor.name} begins`, () => void this.run(actor), actor);
    return actor;
  }

  private async run(actor: Actor): Promise<void> {
    const { kind, network, topics, codecs, fail } = this.options;
    const { weather } = network;
    const source = { log: new SimulatedLog(network, actor, new Troubles()), topics, codecs };
    try {
      await (kind === 'define' ? this.define(source) : this.promote(source, actor));
      weather.note(`${kind}d`);
      this.isDone = true;
    } catch (error) {
      if (!(error instanceof Unavailable || (error instanceof Invalid && OVERTAKEN.includes(error.code))))
        return fail(`${actor.name}: ${error instanceof Error ? error.stack : String(error)}`);
      if (error instanceof Invalid) this.forget();
      weather.note(error.code);
      // The command ends, with all that it was doing, and is given again.
      this.die();
      this.actor = this.begin(RETRY_MS);
    }
  }

  private async define({ log, topics, codecs }: ReplaySource): Promise<void> {
    const store = new ExperimentStore({ log, topic: topics.experiments, codec: codecs.experiment, onRefused: rethrow });
    await store.apply(this.options.wanted());
  }

  private async promote(source: ReplaySource, actor: Actor): Promise<void> {
    const { limits, wanted } = this.options;
    this.planned ??= await planPromotion(source, wanted(), limits);
    const { plan } = this.planned;
    const options = { ...source, pollRecordsMax: POLL_RECORDS_MAX, commitRecords: COMMIT_RECORDS };
    const replayed = await runReplay(plan, {
      parallel: 2,
      tallyCodec: source.codecs.tally,
      onProgress: () => {},
      replayOne: (partition) => replayPartition(options, plan, partition, this.store(partition, actor), () => {}),
    });
    await promote(source, this.planned, replayed);
  }

  private store(partition: number, actor: Actor): SimulatedStore {
    const disk = this.disks.get(partition) ?? new Disk();
    this.disks.set(partition, disk);
    return new SimulatedStore(disk, this.options.network.weather, actor, new Troubles());
  }

  private forget(): void {
    this.planned = null;
    this.disks = new Map();
  }
}
