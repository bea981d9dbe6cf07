/**
 * Arms without context whose rewards are yes or no (Bernoulli) or a number (Gaussian), with means that stay, wander
 * (a random walk) or are dealt out anew from time to time (switches).
 */
import type { Random } from '../../core/random.ts';
import { type Environment, NO_CONTEXT, PLAIN, type SimulatedUnit } from '../environment.ts';

export type Rewards = { readonly kind: 'bernoulli' } | { readonly kind: 'gaussian'; readonly deviation: number };

export type Drift =
  | { readonly kind: 'none' }
  /** Each mean takes a normal step of this deviation, and is reflected at the bounds. */
  | { readonly kind: 'walk'; readonly deviation: number }
  /** After every so many steps each arm takes over the mean of the arm before it. */
  | { readonly kind: 'switches'; readonly everySteps: number };

export interface ArmsOptions {
  /** Within [MEAN_MIN, MEAN_MAX]. */
  readonly means: readonly number[];
  readonly rewards: Rewards;
  readonly drift: Drift;
}

export const MEAN_MIN = 0.05;
export const MEAN_MAX = 0.95;

export class Arms implements Environment {
  readonly retired = PLAIN.retired;
  readonly slots = PLAIN.slots;
  readonly armsRevision = PLAIN.armsRevision;
  readonly features = PLAIN.features;
  readonly benchmark = PLAIN.benchmark;
  readonly layout = PLAIN.layout;
  readonly costOfUnit = PLAIN.costOfUnit;
  readonly rewardRange: { readonly min: number; readonly max: number };
  readonly armIds: readonly string[];
  readonly costs: readonly number[];
  private readonly rewards: Rewards;
  private readonly drift: Drift;
  private means: number[];
  private steps = 0;

  constructor({ means, rewards, drift }: ArmsOptions) {
    this.means = [...means];
    this.rewards = rewards;
    this.drift = drift;
    this.armIds = means.map((_, arm) => `arm-${arm + 1}`);
    this.costs = means.map(() => 0);
    // Room for three deviations of noise beside the extreme means, so that cutting does not matter.
    const room = rewards.kind === 'bernoulli' ? 0 : 3 * rewards.deviation;
    this.rewardRange = { min: -room, max: 1 + room };
  }

  nextUnit(random: Random): SimulatedUnit {
    if (this.steps > 0) this.move(random);
    this.steps += 1;
    return { unitId: `user-${this.steps}`, context: NO_CONTEXT };
  }

  expectedRewards(): readonly number[] {
    return this.means;
  }

  observe(_unit: SimulatedUnit, armIndex: number, random: Random): number {
    const mean = this.means[armIndex]!;
    if (this.rewards.kind === 'bernoulli') return random.next() < mean ? 1 : 0;
    return mean + this.rewards.deviation * random.normal();
  }

  private move(random: Random): void {
    const { drift, means } = this;
    switch (drift.kind) {
      case 'none':
        return;
      case 'walk':
        this.means = means.map((mean) => reflected(mean + drift.deviation * random.normal()));
        return;
      case 'switches':
        if (this.steps % drift.everySteps === 0) this.means = [means.at(-1)!, ...means.slice(0, -1)];
    }
  }
}

function reflected(mean: number): number {
  if (mean < MEAN_MIN) return 2 * MEAN_MIN - mean;
  if (mean > MEAN_MAX) return 2 * MEAN_MAX - mean;
  return mean;
}
