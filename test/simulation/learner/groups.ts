/**
 * Groups as a coordinator runs them: members that give no sign of life lose what they own without being asked, learn of
 * it when they wake, and join again. A partition goes to its next owner when the last one let go of it or was expelled.
 */

import { balance, difference } from '../../../services/platform/log/balance.ts';
import type { GroupMembership, MembershipHandlers } from '../../../services/platform/log/port.ts';
import type { Actor } from './schedule.ts';
import type { Weather } from './weather.ts';

interface Member {
  readonly id: string;
  readonly actor: Actor;
  readonly handlers: MembershipHandlers;
  readonly fail: (error: unknown) => void;
  /** What it believes to own. */
  owned: readonly number[];
  seenMs: number;
  leaving: (() => void) | null;
  busy: boolean;
}

export class Groups {
  readonly weather: Weather;
  private readonly partitionCounts: ReadonlyMap<string, number>;
  private readonly groups = new Map<string, Group>();

  constructor(weather: Weather, partitionCounts: ReadonlyMap<string, number>) {
    this.weather = weather;
    this.partitionCounts = partitionCounts;
  }

  group(groupId: string, topic: string, sessionTimeoutMs: number): Group {
    const known = this.groups.get(groupId);
    if (known !== undefined) return known;
    const group = new Group(this.weather, groupId, this.partitionCounts.get(topic)!, sessionTimeoutMs);
    this.groups.set(groupId, group);
    return group;
  }
}

export class Group {
  private readonly weather: Weather;
  private readonly name: string;
  private readonly partitionCount: number;
  private readonly sessionTimeoutMs: number;
  private readonly members = new Map<string, Member>();
  private readonly owners = new Map<number, string>();
  private targets = new Map<string, number[]>();
  private joined = 0;

  constructor(weather: Weather, name: string, partitionCount: number, sessionTimeoutMs: number) {
    this.weather = weather;
    this.name = name;
    this.partitionCount = partitionCount;
    this.sessionTimeoutMs = sessionTimeoutMs;
  }

  async join(actor: Actor, handlers: MembershipHandlers, fail: (error: unknown) => void): Promise<Member> {
    await this.weather.leg(actor, `${actor.name} joins ${this.name}`);
    return this.admit({ actor, handlers, fail });
  }

  /** Revokes what is owned, then leaves. */
  async leave(member: Member): Promise<void> {
    const left = Promise.withResolvers<void>();
    member.leaving = left.resolve;
    this.deal();
    this.poke(member);
    await left.promise;
  }

  private admit({ actor, handlers, fail }: Pick<Member, 'actor' | 'handlers' | 'fail'>): Member {
    this.joined += 1;
    const id = String(this.joined).padStart(4, '0');
    const member = { id, actor, handlers, fail, owned: [], seenMs: 0, leaving: null, busy: false };
    this.members.set(id, member);
    this.heartbeat(member);
    this.watch(member);
    this.deal();
    return member;
  }

  private heartbeat(member: Member): void {
    member.seenMs = this.weather.schedule.nowMs;
    const beat = (): void => {
      if (this.members.get(member.id) === member) this.heartbeat(member);
      else void this.lost(member);
    };
    this.weather.schedule.after(
      this.sessionTimeoutMs / 3,
      `${member.actor.name} heartbeat ${this.name}`,
      beat,
      member.actor,
    );
  }

  /** The coordinator's side of it. */
  private watch(member: Member): void {
    if (this.members.get(member.id) !== member) return;
    const leftMs = member.seenMs + this.sessionTimeoutMs - this.weather.schedule.nowMs;
    if (leftMs > 0) {
      this.weather.schedule.after(leftMs, `${this.name} watches`, () => this.watch(member), null);
      return;
    }
    this.weather.note(member.actor.alive ? 'taken for dead' : 'found dead');
    this.remove(member);
  }

  private remove(member: Member): void {
    this.members.delete(member.id);
    for (const [partition, owner] of this.owners) if (owner === member.id) this.owners.delete(partition);
    this.deal();
  }

  /** It was expelled and has just heard of it. */
  private async lost(member: Member): Promise<void> {
    if (member.busy) {
      this.weather.schedule.after(1, `${member.actor.name} still busy`, () => void this.lost(member), member.actor);
      return;
    }
    member.busy = true;
    const { owned } = member;
    member.owned = [];
    if (owned.length > 0) await member.handlers.revoked(owned);
    member.busy = false;
    if (member.leaving !== null) return member.leaving();
    await this.weather.leg(member.actor, `${member.actor.name} joins ${this.name} again`);
    Object.assign(member, { id: this.nextId() });
    this.members.set(member.id, member);
    this.heartbeat(member);
    this.watch(member);
    this.deal();
  }

  private nextId(): string {
    this.joined += 1;
    return String(this.joined).padStart(4, '0');
  }

  private deal(): void {
    const staying = [...this.members.values()].filter(({ leaving }) => leaving === null);
    this.targets = staying.length === 0 ? new Map() : balance(staying, this.partitionCount);
    for (const member of this.members.values()) this.poke(member);
  }

  private poke(member: Member): void {
    const { name } = member.actor;
    this.weather.schedule.after(
      this.weather.latencyMs(),
      `${name} heeds ${this.name}`,
      () => void this.heed(member),
      member.actor,
    );
  }

  /** Gives up what is not its own any more, then takes what is free. */
  private async heed(member: Member): Promise<void> {
    if (member.busy) return;
    if (this.members.get(member.id) !== member) {
      // Expelled; it leaves without being asked for anything.
      if (member.leaving !== null) await this.lost(member);
      return;
    }
    member.busy = true;
    try {
      const target = member.leaving === null ? (this.targets.get(member.id) ?? []) : [];
      await this.settle(member, target);
    } catch (error) {
      member.fail(error);
    }
    member.busy = false;
  }

  private async settle(member: Member, target: readonly number[]): Promise<void> {
    const given = difference(member.owned, target);
    if (given.length > 0) {
      member.owned = difference(member.owned, given);
      await member.handlers.revoked(given);
      for (const partition of given) if (this.owners.get(partition) === member.id) this.owners.delete(partition);
    }
    const free = difference(target, member.owned).filter((partition) => !this.owners.has(partition));
    if (free.length > 0 && this.members.get(member.id) === member) {
      for (const partition of free) this.owners.set(partition, member.id);
      member.owned = [...member.owned, ...free];
      await member.handlers.assigned(free);
    }
    if (member.leaving !== null && member.owned.length === 0) {
      this.remove(member);
      member.leaving();
    } else if (given.length > 0) this.deal();
    else if (difference(target, member.owned).length > 0) this.poke(member);
  }
}

export class SimulatedMembership implements GroupMembership {
  private readonly groups: Groups;
  private readonly actor: Actor;
  private readonly over = Promise.withResolvers<void>();
  private place: { readonly group: Group; readonly member: Member } | null = null;

  constructor(groups: Groups, actor: Actor) {
    this.groups = groups;
    this.actor = actor;
  }

  get ended(): Promise<void> {
    return this.over.promise;
  }

  async join(options: {
    readonly groupId: string;
    readonly topic: string;
    readonly sessionTimeoutMs: number;
    readonly handlers: MembershipHandlers;
  }): Promise<void> {
    const group = this.groups.group(options.groupId, options.topic, options.sessionTimeoutMs);
    const member = await group.join(this.actor, options.handlers, (error) => this.over.reject(error));
    this.place = { group, member };
  }

  async leave(): Promise<void> {
    const { place } = this;
    this.place = null;
    if (place !== null) await place.group.leave(place.member);
    this.over.resolve();
  }
}
