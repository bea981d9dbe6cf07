/** What every adapter promises of group membership; a part of the suite in log.ts. */
import { afterEach, describe, expect, test } from 'vitest';
import type { GroupMembership, Log } from '../../services/platform/log/port.ts';
import { uniqueName } from '../support/broker.ts';
import { createTopic, type LogUnderTest } from './log-fixtures.ts';

const SESSION_TIMEOUT_MS = 6_000;

export function describeGroups(underTest: LogUnderTest): void {
  describe('groups', () => {
    const logs: Log[] = [];
    const open = (): Log => {
      const log = underTest.open();
      logs.push(log);
      return log;
    };
    afterEach(async () => {
      await Promise.all(logs.splice(0).map((log) => log.close()));
    });

    test('a lone member gets every partition', async () => {
      const group = await newGroup(open(), 4);
      const one = await group.join('one');
      await group.until(() => one.owned.size === 4);
      expect([...one.owned].sort()).toEqual([0, 1, 2, 3]);
    });

    test('members share evenly, and what a new one gets is first let go of by the old', async () => {
      const group = await newGroup(open(), 4);
      const one = await group.join('one');
      await group.until(() => one.owned.size === 4);
      const two = await group.join('two');
      await group.until(() => one.owned.size === 2 && two.owned.size === 2);
      expect([...one.owned, ...two.owned].sort()).toEqual([0, 1, 2, 3]);
      expect(group.overlaps).toEqual([]);
      // Sticky: the old member kept half of its work undisturbed.
      expect(group.events.filter((event) => event.startsWith('one revoked')).length).toBe(1);
    });

    test('a new owner waits for as long as the old one takes to stop', async () => {
      const group = await newGroup(open(), 2);
      const released = Promise.withResolvers<void>();
      const one = await group.join('one', { onRevoked: () => released.promise });
      await group.until(() => one.owned.size === 2);
      const two = group.join('two');
      await group.until(() => group.events.includes('one revoking'));
      await group.heartbeats();
      expect(group.events.filter((event) => event.startsWith('two'))).toEqual([]);
      released.resolve();
      const { owned } = await two;
      await group.until(() => owned.size === 1);
      expect(group.overlaps).toEqual([]);
    });

    test('who leaves gives up all, and the others take over', async () => {
      const group = await newGroup(open(), 3);
      const one = await group.join('one');
      const two = await group.join('two');
      await group.until(() => one.owned.size + two.owned.size === 3 && one.owned.size > 0 && two.owned.size > 0);
      await one.membership.leave();
      expect(one.owned.size).toBe(0);
      await one.membership.ended;
      await group.until(() => two.owned.size === 3);
      expect(group.overlaps).toEqual([]);
    });

    test('more members than partitions leaves some idle, ready to take over', async () => {
      const group = await newGroup(open(), 1);
      const one = await group.join('one');
      const two = await group.join('two');
      await group.until(() => one.owned.size + two.owned.size === 1);
      const [busy, idle] = one.owned.size === 1 ? [one, two] : [two, one];
      await busy.membership.leave();
      await group.until(() => idle.owned.size === 1);
      expect(group.overlaps).toEqual([]);
    });

    test('a handler that throws ends its membership with its error, and the others take over', async () => {
      const group = await newGroup(open(), 2);
      const one = await group.join('one');
      await group.until(() => one.owned.size === 2);
      const two = await group.join('two', { onAssigned: () => Promise.reject(new Error('disk full')) });
      await expect(two.membership.ended).rejects.toThrow('disk full');
      await group.until(() => one.owned.size === 2);
      expect(group.overlaps).toEqual([]);
    });
  });
}

interface Member {
  readonly membership: GroupMembership;
  readonly owned: Set<number>;
}

/** Records what the members of one group are told, and every moment in which two own one partition. */
async function newGroup(log: Log, partitions: number) {
  const topic = await createTopic(log, { partitions });
  const groupId = uniqueName('group');
  const members: Member[] = [];
  const events: string[] = [];
  const overlaps: string[] = [];
  const waiting: { isMet: () => boolean; resolve: () => void }[] = [];
  const note = (event: string): void => {
    events.push(event);
    for (const { isMet, resolve } of waiting) if (isMet()) resolve();
  };

  const join = async (
    name: string,
    on: { onAssigned?: () => Promise<void>; onRevoked?: () => Promise<void> } = {},
  ): Promise<Member> => {
    const membership = log.membership();
    const owned = new Set<number>();
    members.push({ membership, owned });
    // Heard where a test cares; elsewhere a rejection must not stop the run.
    membership.ended.catch(() => undefined);
    const handlers = {
      async assigned(given: readonly number[]): Promise<void> {
        await on.onAssigned?.();
        for (const partition of given) {
          if (members.some((member) => member.owned.has(partition))) overlaps.push(`${name} ${partition}`);
          owned.add(partition);
        }
        note(`${name} assigned ${given.join()}`);
      },
      async revoked(taken: readonly number[]): Promise<void> {
        note(`${name} revoking`);
        await on.onRevoked?.();
        for (const partition of taken) owned.delete(partition);
        note(`${name} revoked ${taken.join()}`);
      },
    };
    await membership.join({ groupId, topic, sessionTimeoutMs: SESSION_TIMEOUT_MS, handlers });
    return { membership, owned };
  };

  const until = async (isMet: () => boolean): Promise<void> => {
    if (isMet()) return;
    await new Promise<void>((resolve) => waiting.push({ isMet, resolve }));
  };

  /** Long enough for every member to have heard from the group, were there anything to hear. */
  const heartbeats = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1_200));

  return { join, until, heartbeats, events, overlaps };
}
