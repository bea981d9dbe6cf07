/**
 * What one decider has dealt and its snapshot does not know of: counted into the policies served, so that a deterministic
 * one does not deal the same arm to everybody until the next snapshot. Owns the newest such exposures of one experiment.
 * Not here: what counting one in means (policies/policy.ts), nor other deciders' exposures, which nobody tells. Those of
 * before a restart are forgotten too; both only mean that bounds stay as wide as the snapshot has them.
 */
import type { DecisionOutcome } from './decide.ts';
import type { ServedExperiment } from './served.ts';
import type { ParametersSnapshot } from './snapshot.ts';

/** Where the log has a decision. */
export interface DecisionPlace {
  readonly partition: number;
  readonly offset: number;
}

/** What one logged decision dealt. */
export class Exposure {
  /** By slot; without those whose rewards a snapshot has. */
  arms: readonly number[];
  /** Encoded context. */
  readonly features: readonly number[];
  /** Told by the log when it has the decision; until then no snapshot can reflect it. Never, when the log refused it. */
  place: DecisionPlace | null = null;

  constructor({ decision, slots }: Pick<DecisionOutcome, 'decision' | 'slots'>) {
    // The holdout is learned beside the arms.
    this.arms = decision.reason === 'holdout' ? [] : slots.map(({ armIndex }) => armIndex);
    this.features = decision.features;
  }
}

/** Kept for the next snapshot … */
export const EXPOSURES_MAX = 10_000;
/** … and so many that counting them into it again takes about 10 ms: d² operations each. */
const OPERATIONS_MAX = 2 ** 23;

export class PendingExposures {
  /** The oldest first; up to twice as many as are kept, so that forgetting is rare. */
  private exposures: Exposure[] = [];

  /** Of decisions that no served snapshot reflects, as far as they are remembered. */
  get size(): number {
    return this.exposures.length;
  }

  /** Counts what was just dealt into what is served, and keeps it for the next snapshot. */
  add(served: ServedExperiment, exposure: Exposure): void {
    if (!countIn(served, exposure)) return;
    this.exposures.push(exposure);
    const most = mostKept(exposure.features.length);
    if (this.exposures.length >= 2 * most) this.exposures = this.exposures.slice(-most);
  }

  /**
   * Forgets what a new snapshot knows of and counts the rest into what is served from it.
   *
   * It knows of a decision that its offsets have passed. While rewards are awaited (`delay` other than `impute`) it has counted
   * only some of those: of each arm as many of the newest are kept as it has dealt decisions without a reward.
   */
  countInto(served: ServedExperiment, snapshot: ParametersSnapshot): void {
    const offsets = new Map(snapshot.offsets.map(({ partition, decisions }) => [partition, decisions]));
    const awaited = snapshot.arms.map(({ pulls, n }) => pulls - n);
    const kept = this.exposures.slice(-mostKept(this.exposures.at(-1)?.features.length ?? 0)).reverse();
    for (const exposure of kept) {
      const { place } = exposure;
      if (place === null || place.offset >= (offsets.get(place.partition) ?? 0)) continue;
      exposure.arms = exposure.arms.filter((arm) => {
        awaited[arm] = (awaited[arm] ?? 0) - 1;
        return awaited[arm]! >= 0;
      });
    }
    this.exposures = kept.filter(({ arms }) => arms.length > 0).reverse();
    for (const exposure of this.exposures) countIn(served, exposure);
  }
}

function mostKept(dimension: number): number {
  return Math.max(1, Math.min(EXPOSURES_MAX, Math.floor(OPERATIONS_MAX / Math.max(1, dimension) ** 2)));
}

/** @returns whether any policy counts exposures of the arms. */
function countIn({ policies, snapshot }: ServedExperiment, { arms, features }: Exposure): boolean {
  let counted = false;
  // All policies learn from all decisions, whichever of them dealt.
  for (const { exposures } of policies.values()) {
    if (exposures === undefined) continue;
    for (const arm of arms) {
      // An arm newer than the snapshot has no sums yet.
      if (arm >= snapshot!.armCount) continue;
      exposures.add(features, arm);
      counted = true;
    }
  }
  return counted;
}
