/**
 * What a machine has on its disk of one partition, and the store that a process opens on it. The disk outlives the
 * process, and may come back as it was some commits ago, or unreadable.
 */
import { Corrupt, Unavailable } from '../../../services/core/errors.ts';
import { MemoryStore } from '../../../services/platform/store/memory.ts';
import type { Store, StoreCommit } from '../../../services/platform/store/port.ts';
import type { Actor } from './schedule.ts';
import type { Troubles, Weather } from './weather.ts';

export class Disk {
  content = new MemoryStore();
  torn = false;
  /** Since it was empty, in order. */
  private commits: StoreCommit[] = [];

  /** Takes effect before it returns. */
  commit(commit: StoreCommit): void {
    this.commits.push(commit);
    void this.content.commit(commit);
  }

  clear(): void {
    this.content = new MemoryStore();
    this.commits = [];
    this.torn = false;
  }

  /** Loses its last commits. */
  loseLast(count: number): void {
    const kept = this.commits.slice(0, Math.max(0, this.commits.length - count));
    this.clear();
    for (const commit of kept) this.commit(commit);
  }
}

export class SimulatedStore implements Store {
  private readonly disk: Disk;
  private readonly weather: Weather;
  private readonly actor: Actor;
  private readonly troubles: Troubles;

  constructor(disk: Disk, weather: Weather, actor: Actor, troubles: Troubles) {
    this.disk = disk;
    this.weather = weather;
    this.actor = actor;
    this.troubles = troubles;
  }

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    await this.leg('get');
    this.assertReadable();
    return this.disk.content.getMany(keys);
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    await this.leg('range');
    this.assertReadable();
    return this.disk.content.range(from, to, limit);
  }

  async commit(commit: StoreCommit): Promise<void> {
    await this.leg('commit');
    const isFull = this.troubles.diskFullUntilMs > this.weather.schedule.nowMs;
    if (isFull || this.weather.happens(this.weather.rates.commitRefused)) {
      throw new Unavailable('store-commit', 'the store refused a commit: no space left');
    }
    this.disk.commit(commit);
    await this.leg('committed');
  }

  async clear(): Promise<void> {
    await this.leg('clear');
    this.disk.clear();
  }

  async close(): Promise<void> {
    await this.leg('close');
  }

  async destroy(): Promise<void> {
    await this.leg('destroy');
    this.disk.clear();
  }

  private leg(what: string): Promise<void> {
    return this.weather.leg(this.actor, `${this.actor.name} store ${what}`, this.weather.schedule.random.next() / 2);
  }

  private assertReadable(): void {
    if (this.disk.torn) throw new Corrupt('store-unreadable', 'what is stored is not what was written');
  }
}
