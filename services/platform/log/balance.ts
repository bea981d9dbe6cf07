/**
 * Who owns which partition of a group: balanced (shares differ by at most one) and sticky (who has it keeps it while
 * the balance allows). Pure, so that every member and both adapters come to the same answer.
 */

export interface GroupMember {
  readonly id: string;
  readonly owned: readonly number[];
}

/** @returns partitions by member id, ascending. */
export function balance(members: readonly GroupMember[], partitionCount: number): Map<string, number[]> {
  // Those who own most come first and get the larger shares, so that fewest partitions move.
  const order = [...members].sort((a, b) => b.owned.length - a.owned.length || (a.id < b.id ? -1 : 1));
  const small = Math.floor(partitionCount / order.length);
  const large = partitionCount % order.length;
  const quotaOf = (index: number): number => (index < large ? small + 1 : small);

  const free = new Set(Array.from({ length: partitionCount }, (_, partition) => partition));
  const shares = order.map((member, index) => {
    const kept = member.owned.filter((partition) => free.has(partition)).slice(0, quotaOf(index));
    for (const partition of kept) free.delete(partition);
    return { id: member.id, kept, missing: quotaOf(index) - kept.length };
  });
  const spare = free.values();
  return new Map(
    shares.map(({ id, kept, missing }) => [id, [...kept, ...spare.take(missing)].sort((a, b) => a - b)] as const),
  );
}

/** @returns those of `from` that are not in `without`. */
export function difference(from: readonly number[], without: readonly number[]): number[] {
  return from.filter((partition) => !without.includes(partition));
}
