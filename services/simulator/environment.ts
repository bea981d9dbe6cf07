/**
 * A simulated world that a bandit acts in: who asks, and what each arm is truly worth to them.
 * Chance is an argument, so a seed makes a world repeatable. Not here: delays (ltv-curve.ts) and policies (core).
 */
import type { ContextValue } from '../core/context.ts';
import type { Random } from '../core/random.ts';

export interface SimulatedUnit {
  readonly unitId: string;
  readonly context: ReadonlyMap<string, ContextValue>;
}

export interface Environment {
  /** In the order of the experiment's definition. */
  readonly armIds: readonly string[];
  /** @returns the next unit to ask for a decision. */
  nextUnit(random: Random): SimulatedUnit;
  /** @returns by arm, the expected reward of that unit, in the reward's own unit and after costs. */
  expectedRewards(unit: SimulatedUnit): readonly number[];
  /** @returns one noisy reward of an arm, before costs. */
  observe(unit: SimulatedUnit, armIndex: number, random: Random): number;
}
