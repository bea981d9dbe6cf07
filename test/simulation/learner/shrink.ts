/**
 * Makes a failing plan smaller for as long as it fails: fewer kinds of trouble, fewer faults, fewer events, a smaller
 * installation. Each smaller plan is a schedule of its own, so a smaller one may fail for another reason: good enough.
 */
import type { EventSpec, Fault, Plan, Rates } from './plan.ts';

/** @param fails runs a plan. @param runsMax how many may be tried. */
export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>, runsMax: number): Promise<Plan> {
  let smallest = plan;
  let runs = 0;
  const tried = async (candidate: Plan): Promise<boolean> => {
    if (runs >= runsMax) return false;
    runs += 1;
    if (!(await fails(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (let before: Plan | null = null; before !== smallest && runs < runsMax; ) {
    before = smallest;
    for (const simpler of installations(smallest)) await tried({ ...smallest, ...simpler });
    for (const rate of Object.keys(smallest.rates) as (keyof Rates)[]) {
      if (smallest.rates[rate] > 0) await tried({ ...smallest, rates: { ...smallest.rates, [rate]: 0 } });
    }
    for (const list of ['faults', 'events', 'epilogue'] as const) {
      await shorten<EventSpec | Fault>(smallest[list], (kept) => tried({ ...smallest, [list]: kept }));
    }
  }
  return smallest;
}

function installations(plan: Plan): Partial<Plan>[] {
  const simpler: Partial<Plan>[] = [];
  if (plan.partitions > 1) simpler.push({ partitions: 1 });
  if (plan.talliesPartitions > 1) simpler.push({ talliesPartitions: 1 });
  for (let learners = 1; learners < plan.learners; learners++) simpler.push({ learners });
  return simpler;
}

/** Takes out runs of items, the longest first. @param tried keeps what still fails, and says whether it did. */
async function shorten<T>(items: readonly T[], tried: (kept: readonly T[]) => Promise<boolean>): Promise<void> {
  let kept = items;
  for (let size = Math.ceil(items.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < kept.length; ) {
      const without = kept.filter((_, index) => index < from || index >= from + size);
      if (await tried(without)) kept = without;
      else from += size;
    }
  }
}
