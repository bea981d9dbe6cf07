/**
 * What a machine has on its disk of one partition, and the store that a process opens on it. The disk outlives the
 * process, and may come back as it was some commits ago, or unreadable.
 */
import { Corrupt, Unavailable } from '../../../services/core/errors.ts';
import { MemoryStore } from '../../../services/platform/store/memory.ts';
import type { Due, Store } from '../../../services/platform/store/port.ts';
import type { Actor } from './schedule.ts';
import type { Troubles, Weather } from './weather.ts';

type Change = (store: Store) => void;

export class Disk {
  torn = false;
  /** Since it was empty, in order. */
  private commits: (readonly Change[])[] = [];

  /** @returns what is on it, to be changed in memory. */
  read(): MemoryStore {
    const store = new MemoryStore();
    for (const changes of this.commits) for (const change of changes) change(store);
    return store;
  }

  commit(changes: readonly Change[]): void {
    this.commits.push(changes);
  }

  clear(): void {
    this.commits = [];
    this.torn = false;
  }

  /** Loses its last commits. */
  loseLast(count: number): void {
    this.commits = this.commits.slice(0, Math.max(0, this.commits.length - count));
  }
}

export class SimulatedStore implements Store {
  private readonly disk: Disk;
  private readonly weather: Weather;
  private readonly actor: Actor;
  private readonly troubles: Troubles;
  private content: MemoryStore;
  private changes: Change[] = [];

  constructor(disk: Disk, weather: Weather, actor: Actor, troubles: Troubles) {
    this.disk = disk;
    this.weather = weather;
    this.actor = actor;
    this.troubles = troubles;
    this.content = disk.read();
  }

  get(unit: string): Buffer | undefined {
    this.assertReadable();
    return this.content.get(unit);
  }

  put(unit: string, value: Uint8Array, due: number, mark?: number): void {
    const kept = Buffer.from(value);
    this.change((store) => store.put(unit, kept, due, mark));
  }

  delete(unit: string): void {
    this.change((store) => store.delete(unit));
  }

  *takeDue(upTo: number): Generator<Due> {
    this.assertReadable();
    for (const { mark, read } of this.content.takeDue(upTo)) {
      yield { mark, read, delete: () => this.delete(read()[0]) };
    }
  }

  units(): Generator<readonly [string, Buffer]> {
    this.assertReadable();
    return this.content.units();
  }

  getNamed(name: string): Buffer | undefined {
    this.assertReadable();
    return this.content.getNamed(name);
  }

  putNamed(name: string, value: Uint8Array): void {
    const kept = Buffer.from(value);
    this.change((store) => store.putNamed(name, kept));
  }

  deleteNamed(name: string): void {
    this.change((store) => store.deleteNamed(name));
  }

  heldBytes(): number {
    return this.content.heldBytes();
  }

  names(): string[] {
    return this.content.names();
  }

  async commit(): Promise<void> {
    const { changes } = this;
    this.changes = [];
    await this.leg('commit');
    const isFull = this.troubles.diskFullUntilMs > this.weather.schedule.nowMs;
    if (isFull || this.weather.happens(this.weather.rates.commitRefused)) {
      throw new Unavailable('store-commit', 'the store refused a commit: no space left');
    }
    this.disk.commit(changes);
    await this.leg('committed');
  }

  async clear(): Promise<void> {
    await this.leg('clear');
    this.disk.clear();
    this.content = new MemoryStore();
    this.changes = [];
  }

  async close(): Promise<void> {
    await this.leg('close');
  }

  async destroy(): Promise<void> {
    await this.leg('destroy');
    this.disk.clear();
  }

  private change(change: Change): void {
    change(this.content);
    this.changes.push(change);
  }

  private leg(what: string): Promise<void> {
    return this.weather.leg(this.actor, `${this.actor.name} store ${what}`, this.weather.schedule.random.next() / 2);
  }

  private assertReadable(): void {
    if (this.disk.torn) throw new Corrupt('store-unreadable', 'what is stored is not what was written');
  }
}
