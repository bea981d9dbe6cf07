/**
 * The publish role: one publisher for each partition of the tallies that the group assigns to this process, and the
 * clock that makes them publish. Owns the publishers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Unavailable } from '../core/errors.ts';
import type { Experiment } from '../core/experiment.ts';
import type { GroupMembership } from '../platform/log/port.ts';
import { Publisher, type PublisherOptions } from './publisher.ts';

/** A change ends the wait; this only bounds it. */
const IDLE_WAIT_MS_MAX = 60_000;

export interface PublishRoleOptions extends Omit<PublisherOptions, 'partition'> {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly publishIntervalMs: number;
}

interface Running {
  readonly publisher: Publisher;
  readonly stop: AbortController;
  readonly done: Promise<void>;
  isStarted: boolean;
}

export class PublishRole {
  private readonly options: PublishRoleOptions;
  private readonly membership: GroupMembership;
  private readonly running = new Map<number, Running>();

  constructor(options: PublishRoleOptions) {
    this.options = options;
    this.membership = options.log.membership();
  }

  async start(): Promise<void> {
    this.membership.ended.catch((error: unknown) => this.options.failed(error));
    await this.membership.join({
      groupId: this.options.groupId,
      topic: this.options.topics.tallies,
      sessionTimeoutMs: this.options.sessionTimeoutMs,
      handlers: {
        assigned: async (partitions) => {
          for (const partition of partitions) this.own(partition);
        },
        revoked: async (partitions) => {
          await Promise.all(partitions.map((partition) => this.disown(partition)));
        },
      },
    });
  }

  async stop(): Promise<void> {
    await this.membership.leave();
    await Promise.all([...this.running.keys()].map((partition) => this.disown(partition)));
  }

  /** The partitions of the tallies owned that are not read yet. */
  reading(): number[] {
    return [...this.running].flatMap(([partition, { isStarted }]) => (isStarted ? [] : [partition]));
  }

  defined(experiment: Experiment): void {
    for (const { publisher } of this.running.values()) publisher.defined(experiment);
  }

  private own(partition: number): void {
    const publisher = new Publisher({ ...this.options, partition });
    const stop = new AbortController();
    const running = { publisher, stop, done: Promise.resolve(), isStarted: false };
    const done = this.run(running).catch((error: unknown) => this.options.failed(error));
    this.running.set(partition, Object.assign(running, { done }));
  }

  private async disown(partition: number): Promise<void> {
    const running = this.running.get(partition);
    if (running === undefined) return;
    this.running.delete(partition);
    running.stop.abort();
    await running.done;
  }

  private async run(running: Running): Promise<void> {
    const { publisher } = running;
    const stop = running.stop.signal;
    try {
      await this.whileUnavailable(() => publisher.start(), stop);
      running.isStarted = true;
      stop.addEventListener('abort', () => publisher.wake());
      while (!stop.aborted) {
        await publisher.changed(IDLE_WAIT_MS_MAX);
        await this.whileUnavailable(() => publisher.publish(), stop);
        await this.pause(stop);
      }
      await this.drain(publisher);
    } finally {
      await publisher.stop();
    }
  }

  /** What the tallies say at the end is published before the partition is let go of. */
  private async drain(publisher: Publisher): Promise<void> {
    try {
      await publisher.catchUp();
      await publisher.publish({ all: true });
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      // The next owner publishes it.
      this.options.observer.unavailable(error);
    }
  }

  private async whileUnavailable(attempt: () => Promise<void>, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        this.options.observer.unavailable(error);
        await this.pause(stop);
      }
    }
  }

  private async pause(stop: AbortSignal): Promise<void> {
    // Only stopping ends the wait early.
    await delay(this.options.publishIntervalMs, undefined, { signal: stop }).catch(() => {});
  }
}
