/**
 * A simulated world that a bandit acts in: who asks, and what each arm is truly worth to them.
 * Chance is an argument, so a seed makes a world repeatable. One unit asks at each step; that is all the time there is.
 * Not here: when rewards become known (delays.ts) and what deals the arms (policies.ts, core).
 */
import type { ContextValue } from '../core/context.ts';
import type { Feature, Layout } from '../core/experiment.ts';
import type { Random } from '../core/random.ts';

export interface SimulatedUnit {
  readonly unitId: string;
  readonly context: ReadonlyMap<string, ContextValue>;
}

export interface Environment {
  /** In the order of the experiment's definition; may grow, never shrinks. */
  readonly armIds: readonly string[];
  /** Where the arms are those of a layout, all of them and for nothing; `null` where they are named one by one. */
  readonly layout: Layout | null;
  /** By arm, in the reward's own unit: what dealing it costs. */
  readonly costs: readonly number[];
  /** Indices of arms that cannot be dealt now. */
  readonly retired: ReadonlySet<number>;
  /** Raised whenever `armIds` or `retired` have changed. */
  readonly armsRevision: number;
  /** How many different arms each unit is dealt; each brings a reward of its own. */
  readonly slots: number;
  /** What the experiment declares of the context; empty without. */
  readonly features: readonly Feature[];
  /** Range that the experiment declares for a reward less the arm's cost. */
  readonly rewardRange: { readonly min: number; readonly max: number };
  /** What regret is measured against: each step's best arm, or the one arm that is best over the whole run. */
  readonly benchmark: 'best-of-step' | 'best-fixed';
  /** What one unit costs whatever is dealt, for the return on investment; `null` where that makes no sense. */
  readonly costOfUnit: number | null;
  /** Moves the world one step on. @returns the next unit to ask for a decision. */
  nextUnit(random: Random): SimulatedUnit;
  /** @returns by arm, the expected reward of the unit that asked last, in the reward's own unit and after costs. */
  expectedRewards(unit: SimulatedUnit): readonly number[];
  /** @returns one noisy reward of an arm to the unit that asked last, before costs. */
  observe(unit: SimulatedUnit, armIndex: number, random: Random): number;
}

/** What worlds have that know no context, no costs, no coming and going of arms, and deal one arm at a time. */
export const PLAIN = {
  retired: new Set<number>(),
  armsRevision: 0,
  slots: 1,
  features: [] as readonly Feature[],
  layout: null,
  benchmark: 'best-of-step',
  costOfUnit: null,
} as const;

export const NO_CONTEXT: ReadonlyMap<string, ContextValue> = new Map();
