import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { balance, type GroupMember } from '../../../../services/platform/log/balance.ts';

/** Members as they might come: with what some earlier, larger or smaller group left them, even twice claimed. */
const groups = fc.record({
  partitionCount: fc.nat({ max: 20 }),
  members: fc.uniqueArray(
    fc.record({ id: fc.string({ minLength: 1, maxLength: 3 }), owned: fc.uniqueArray(fc.nat({ max: 25 })) }),
    { selector: ({ id }) => id, minLength: 1, maxLength: 6 },
  ),
});

describe('balance', () => {
  test('every partition has exactly one owner', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount }) => {
        const given = [...balance(members, partitionCount).values()].flat().sort((a, b) => a - b);
        expect(given).toEqual(Array.from({ length: partitionCount }, (_, partition) => partition));
      }),
    );
  });

  test('shares differ by at most one', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount }) => {
        const sizes = [...balance(members, partitionCount).values()].map((share) => share.length);
        expect(sizes.length).toBe(members.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('the order of the members does not matter', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount }) => {
        const sorted = (shares: Map<string, number[]>) => [...shares].sort(([a], [b]) => (a < b ? -1 : 1));
        const reversed = balance([...members].reverse(), partitionCount);
        expect(sorted(reversed)).toEqual(sorted(balance(members, partitionCount)));
      }),
    );
  });

  test('a balanced group stays as it is', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount }) => {
        const once = balance(members, partitionCount);
        expect(balance(asMembers(once), partitionCount)).toEqual(once);
      }),
    );
  });

  test('a newcomer takes no more than its share, and nothing else moves', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount }) => {
        const before = balance(members, partitionCount);
        const after = balance([...asMembers(before), { id: 'newcomer', owned: [] }], partitionCount);
        for (const [id, share] of before) expect(share).toEqual(expect.arrayContaining(after.get(id)!));
      }),
    );
  });
});

function asMembers(shares: Map<string, number[]>): GroupMember[] {
  return [...shares].map(([id, owned]) => ({ id, owned }));
}
