/**
 * The sums of one experiment over all partitions: merge is addition, and a partition's newer tally takes the place
 * of its older one by subtraction, exactly. Owns the merged sums and what each partition last contributed.
 */
import type { ArmId } from '../events.ts';
import { ExactVector } from '../sums/exact.ts';
import { N, PULLS } from '../sums/layout.ts';
import { type CohortSums, DELAYS, getOrInsert } from './sums.ts';

export class MergedSums {
  /** By cohort; integers, so the order in which partitions arrive leaves no trace. */
  private readonly merged = new Map<number, CohortSums>();
  private readonly contributed = new Map<number, Map<number, CohortSums>>();
  private events = 0;

  /** Decisions dealt, and once more each whose reward counts. */
  get eventCount(): number {
    return this.events;
  }

  /** @param sums kept as it is: do not change it afterwards. */
  replace(partition: number, cohort: number, sums: CohortSums): void {
    this.remove(partition, cohort);
    const arms = getOrInsert(this.merged, cohort, () => new Map());
    for (const [armId, vector] of sums) {
      getOrInsert(arms, armId, () => new ExactVector(vector.size)).addVector(vector, 1);
    }
    this.events += eventsOf(sums);
    getOrInsert(this.contributed, partition, () => new Map()).set(cohort, sums);
  }

  /** Has sums take the place of what the partition contributed to the cohort and to all before it. */
  replaceUpTo(partition: number, cohort: number, sums: CohortSums): void {
    for (const earlier of [...(this.contributed.get(partition)?.keys() ?? [])]) {
      if (earlier < cohort) this.remove(partition, earlier);
    }
    this.replace(partition, cohort, sums);
  }

  /** @returns the newest cohort with sums, `null` when there is none. */
  newestCohort(): number | null {
    return this.merged.size === 0 ? null : Math.max(...this.merged.keys());
  }

  /**
   * @param ofOneAgeBefore all cohorts below this one are added into the last of them.
   * @returns sums by arm, by cohort, the oldest first.
   */
  cohorts(ofOneAgeBefore = 0): [cohort: number, sums: ReadonlyMap<ArmId, ExactVector>][] {
    const sorted = [...this.merged].sort(([a], [b]) => a - b);
    const own = sorted.filter(([cohort]) => cohort >= ofOneAgeBefore);
    if (own.length === sorted.length) return own;
    return [[ofOneAgeBefore - 1, sumOf(sorted.slice(0, sorted.length - own.length))], ...own];
  }

  /** @returns by arm, the sums over all cohorts; arms without any are absent. */
  total(): Map<ArmId, ExactVector> {
    const total = sumOf(this.merged);
    for (const [armId, vector] of total) if (vector.isZero()) total.delete(armId);
    return total;
  }

  private remove(partition: number, cohort: number): void {
    const sums = this.contributed.get(partition)?.get(cohort);
    if (sums === undefined) return;
    this.contributed.get(partition)!.delete(cohort);
    const arms = this.merged.get(cohort)!;
    for (const [armId, vector] of sums) arms.get(armId)!.addVector(vector, -1);
    this.events -= eventsOf(sums);
    // Sums of nothing are no cohort: the newest one must not depend on what stood where before.
    if ([...this.contributed.values()].every((cohorts) => !cohorts.has(cohort))) this.merged.delete(cohort);
  }
}

function eventsOf(sums: CohortSums): number {
  let events = 0;
  for (const [armId, vector] of sums) {
    if (armId !== DELAYS) for (const cell of [PULLS, N]) events += vector.number(cell);
  }
  return events;
}

function sumOf(cohorts: Iterable<readonly [number, CohortSums]>): Map<ArmId, ExactVector> {
  const total = new Map<ArmId, ExactVector>();
  for (const [, arms] of cohorts) {
    for (const [armId, vector] of arms) {
      getOrInsert(total, armId, () => new ExactVector(vector.size)).addVector(vector, 1);
    }
  }
  return total;
}
