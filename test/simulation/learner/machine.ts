/**
 * A machine that runs a learner: its disks, its troubles, and the one process on it at a time. A crash ends the process
 * between any two steps; what it had sent may still arrive.
 */
import type { Codecs } from '../../../services/contracts/codec.ts';
import type { TopicNames } from '../../../services/contracts/keys.ts';
import { Fenced, Unavailable } from '../../../services/core/errors.ts';
import {
  type Learner,
  type LearnerObserver,
  type LearnerSettings,
  startLearner,
} from '../../../services/learner/learner.ts';
import { Disk, SimulatedStore } from './disk.ts';
import { type Network, SimulatedLog } from './log.ts';
import type { Fault, Disk as Found } from './plan.ts';
import { Actor } from './schedule.ts';
import { Troubles } from './weather.ts';

export interface MachineOptions {
  readonly index: number;
  readonly network: Network;
  readonly codecs: Codecs;
  readonly topics: TopicNames;
  readonly settings: LearnerSettings;
  fail(what: string): void;
}

/** After a process gave up. */
const RESTART_MS = 20;
const COMMITS_LOST_MAX = 6;

export class Machine {
  private readonly options: MachineOptions;
  private readonly disks = new Map<number, Disk>();
  private readonly troubles = new Troubles();
  private actor: Actor;
  private learner: Learner | null = null;
  private lives = 0;
  private isUp = false;
  private troubledUntilMs = 0;

  constructor(options: MachineOptions) {
    this.options = options;
    this.actor = new Actor(`learner ${options.index}`);
  }

  /** Down, or in any trouble that is still to end. */
  get isTroubled(): boolean {
    return !this.isUp || this.troubledUntilMs > this.schedule.nowMs;
  }

  start(): void {
    this.lives += 1;
    const actor = new Actor(`learner ${this.options.index}.${this.lives}`);
    this.actor = actor;
    this.isUp = true;
    this.schedule.after(0, `${actor.name} starts`, () => void this.live(actor), actor);
  }

  die(): void {
    this.actor.alive = false;
    this.isUp = false;
    this.learner = null;
  }

  /** Without warning. */
  crash(downMs: number, disk: Found): void {
    if (!this.isUp) return;
    this.note(`killed, disk ${disk}`);
    this.die();
    this.leave(disk);
    this.restartAfter(downMs);
  }

  /** As an operator asks for it. */
  stop(downMs: number): void {
    const { learner, actor } = this;
    if (!this.isUp || learner === null) return;
    this.note('asked to stop');
    this.isUp = false;
    this.learner = null;
    const stopped = (): void => {
      actor.alive = false;
      this.restartAfter(downMs);
    };
    this.schedule.after(
      0,
      `${actor.name} is asked to stop`,
      () => {
        learner
          .stop()
          .then(stopped, (error: unknown) => this.options.fail(`${actor.name} did not stop: ${String(error)}`));
      },
      actor,
    );
  }

  trouble(fault: Extract<Fault, { readonly forMs: number; readonly learner: number }>): void {
    const untilMs = this.schedule.nowMs + fault.forMs;
    this.note(fault.kind);
    this.troubledUntilMs = Math.max(this.troubledUntilMs, untilMs);
    switch (fault.kind) {
      case 'freeze':
        this.actor.frozenUntilMs = untilMs;
        break;
      case 'away':
        this.troubles.awayUntilMs = untilMs;
        break;
      case 'disk-full':
        this.troubles.diskFullUntilMs = untilMs;
        break;
      case 'slow':
        this.troubles.slowUntilMs.set(this.options.topics[fault.topic], untilMs);
        break;
    }
  }

  private get schedule() {
    return this.options.network.weather.schedule;
  }

  private leave(found: Found): void {
    for (const disk of this.disks.values()) {
      if (found === 'empty') disk.clear();
      else if (found === 'torn') disk.torn = true;
      else if (found === 'older') disk.loseLast(1 + Math.floor(this.schedule.random.next() * COMMITS_LOST_MAX));
    }
  }

  private restartAfter(downMs: number): void {
    const { lives } = this;
    this.schedule.after(
      downMs,
      `machine ${this.options.index} starts again`,
      () => {
        if (this.lives === lives) this.start();
      },
      null,
    );
  }

  private async live(actor: Actor): Promise<void> {
    const { network, codecs, topics, settings } = this.options;
    try {
      const learner = await startLearner({
        log: new SimulatedLog(network, actor, this.troubles),
        topics,
        codecs,
        openStore: async (partition) => {
          await network.weather.leg(actor, `${actor.name} opens store ${partition}`);
          return new SimulatedStore(this.disk(partition), network.weather, actor, this.troubles);
        },
        nowMs: () => this.schedule.nowMs,
        settings,
        observer: this.observer(actor),
      });
      if (actor === this.actor && actor.alive) this.learner = learner;
    } catch (error) {
      this.gaveUp(actor, error);
    }
  }

  private disk(partition: number): Disk {
    const disk = this.disks.get(partition) ?? new Disk();
    this.disks.set(partition, disk);
    return disk;
  }

  private note(what: string): void {
    this.options.network.weather.note(what);
  }

  /** The process exits, and is started again: well only when it was for want of an answer. */
  private gaveUp(actor: Actor, error: unknown): void {
    if (!actor.alive) return;
    this.note('process gave up');
    if (!(error instanceof Unavailable)) {
      this.options.fail(`${actor.name} stopped: ${error instanceof Error ? error.stack : String(error)}`);
    }
    if (actor !== this.actor) return;
    this.die();
    this.restartAfter(RESTART_MS);
  }

  private observer(actor: Actor): LearnerObserver {
    const ignore = (): void => {};
    const opened = (_task: unknown, from: string): void => this.note(`opened from ${from}`);
    const lost = (_partition: unknown, { code }: Unavailable): void => this.note(`lost: ${code}`);
    const failed = (error: unknown): void => {
      if (!(error instanceof Fenced)) this.gaveUp(actor, error);
    };
    const wrong = (what: string) => (_subject: unknown, error: unknown) =>
      this.options.fail(`${actor.name}: ${what}: ${String(error)}`);
    return {
      tally: {
        folded: ignore,
        refused: ignore,
        committed: ignore,
        opened,
        lost,
        fenced: ignore,
        failed,
      },
      publish: {
        published: ignore,
        refused: wrong('no snapshot can be built'),
        unavailable: ignore,
      },
      definitionRefused: (error) => this.options.fail(`${actor.name}: a definition is refused: ${error.message}`),
      unavailable: ignore,
      failed,
    };
  }
}
