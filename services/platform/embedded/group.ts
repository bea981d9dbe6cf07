/**
 * Groups within this process: shares a topic's partitions among members, one change at a time, and gives a partition to
 * its next owner only after the last one has let go of it.
 */
import { assert } from '../../core/errors.ts';
import { balance, difference } from '../log/balance.ts';
import type { GroupMembership, MembershipHandlers } from '../log/port.ts';
import type { Topics } from './topics.ts';

interface Member {
  readonly id: string;
  readonly handlers: MembershipHandlers;
  readonly fail: (error: unknown) => void;
  owned: readonly number[];
}

export class Groups {
  readonly #topics: Topics;
  readonly #groups = new Map<string, Group>();

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  /** @throws Invalid `unknown-topic`. */
  group(groupId: string, topic: string): Group {
    const { partitions } = this.#topics.get(topic).spec;
    const name = JSON.stringify([groupId, topic]);
    const group = this.#groups.get(name) ?? new Group(partitions);
    this.#groups.set(name, group);
    return group;
  }
}

class Group {
  readonly #partitionCount: number;
  #members: readonly Member[] = [];
  #changes: Promise<void> = Promise.resolve();
  #joined = 0;

  constructor(partitionCount: number) {
    this.#partitionCount = partitionCount;
  }

  async join(handlers: MembershipHandlers, fail: (error: unknown) => void): Promise<Member> {
    this.#joined += 1;
    const member: Member = { id: String(this.#joined).padStart(9, '0'), handlers, fail, owned: [] };
    await this.#change(() => [...this.#members, member]);
    return member;
  }

  async leave(member: Member): Promise<void> {
    await this.#change(() => this.#members.filter((other) => other !== member));
  }

  #change(members: () => readonly Member[]): Promise<void> {
    this.#changes = this.#changes.then(() => this.#handOver(members()));
    return this.#changes;
  }

  async #handOver(members: readonly Member[]): Promise<void> {
    const shares = members.length === 0 ? new Map<string, number[]>() : balance(members, this.#partitionCount);
    const shareOf = (member: Member): number[] => shares.get(member.id) ?? [];
    const everyone = new Set([...this.#members, ...members]);
    this.#members = members;
    const revoking = [...everyone].map((member) =>
      this.#tell(member, 'revoked', difference(member.owned, shareOf(member))),
    );
    await Promise.all(revoking);
    await Promise.all(
      members.map((member) => this.#tell(member, 'assigned', difference(shareOf(member), member.owned))),
    );
  }

  async #tell(member: Member, what: 'assigned' | 'revoked', partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return;
    member.owned = what === 'assigned' ? [...member.owned, ...partitions] : difference(member.owned, partitions);
    try {
      await member.handlers[what](partitions);
    } catch (error) {
      // Its failure is its own: the others go on, and take over what it had.
      member.fail(error);
      void this.leave(member);
    }
  }
}

export class EmbeddedMembership implements GroupMembership {
  readonly #groups: Groups;
  readonly #ended = Promise.withResolvers<void>();
  #place: { readonly group: Group; readonly member: Member } | null = null;
  #joining = false;

  constructor(groups: Groups) {
    this.#groups = groups;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  async join(options: {
    readonly groupId: string;
    readonly topic: string;
    readonly sessionTimeoutMs: number;
    readonly handlers: MembershipHandlers;
  }): Promise<void> {
    assert(!this.#joining, `already a member of group ${options.groupId}; a membership joins once`);
    const group = this.#groups.group(options.groupId, options.topic);
    this.#joining = true;
    const member = await group.join(options.handlers, (error) => this.#ended.reject(error));
    this.#place = { group, member };
  }

  async leave(): Promise<void> {
    const place = this.#place;
    this.#place = null;
    if (place !== null) await place.group.leave(place.member);
    this.#ended.resolve();
  }
}
