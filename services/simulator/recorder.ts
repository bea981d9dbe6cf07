/** What happened at each step of a run, beside what could have happened. Owns the growing record. */
import { assert } from '../core/errors.ts';
import type { Environment, SimulatedUnit } from './environment.ts';

/** Rewards are after costs and in their own unit; vectors have one entry a step. */
export interface RunRecord {
  readonly armIds: readonly string[];
  /** Index of the dealt arm, … */
  readonly dealt: Int32Array;
  /** … and of the one that regret is measured against. */
  readonly best: Int32Array;
  /** Expected reward of the dealt arm, … */
  readonly expected: Float64Array;
  /** … of the best one, … */
  readonly expectedBest: Float64Array;
  /** … and of the first one, the baseline. */
  readonly expectedFirst: Float64Array;
  /** What the dealt arm did bring, whether or not anybody heard of it within the run. */
  readonly observed: Float64Array;
  /** Segments of each unit, such as `region=SEA`. */
  readonly segments: readonly (readonly string[])[];
  readonly costOfUnit: number | null;
}

export class Recorder {
  private readonly world: Environment;
  private readonly dealt: Int32Array;
  private readonly best: Int32Array;
  private readonly expected: Float64Array;
  private readonly expectedBest: Float64Array;
  private readonly expectedFirst: Float64Array;
  private readonly observed: Float64Array;
  private readonly segments: (readonly string[])[] = [];
  /** By step, by arm; kept only where the best arm is known at the end. */
  private readonly allExpected: (readonly number[])[] = [];
  private step = 0;

  constructor(world: Environment, steps: number) {
    this.world = world;
    this.dealt = new Int32Array(steps);
    this.best = new Int32Array(steps);
    this.expected = new Float64Array(steps);
    this.expectedBest = new Float64Array(steps);
    this.expectedFirst = new Float64Array(steps);
    this.observed = new Float64Array(steps);
  }

  /** @param value what the dealt arm brought, before its cost. */
  record(unit: SimulatedUnit, armIndex: number, value: number): void {
    const { world, step } = this;
    const rewards = world.expectedRewards(unit);
    this.dealt[step] = armIndex;
    this.expected[step] = rewards[armIndex]!;
    this.expectedFirst[step] = rewards[0]!;
    this.observed[step] = value - world.costs[armIndex]!;
    this.segments.push(segmentsOf(world, unit));
    if (world.benchmark === 'best-fixed') this.allExpected.push([...rewards]);
    else this.setBest(step, bestArm(rewards, world.retired), rewards);
    this.step += 1;
  }

  finish(): RunRecord {
    const { world, step, dealt, best, expected, expectedBest, expectedFirst, observed, segments } = this;
    assert(step === dealt.length, `${step} of ${dealt.length} steps were recorded`);
    if (world.benchmark === 'best-fixed') this.setBestFixed();
    const { costOfUnit } = world;
    const armIds = [...world.armIds];
    return { armIds, dealt, best, expected, expectedBest, expectedFirst, observed, segments, costOfUnit };
  }

  private setBestFixed(): void {
    const totals = this.world.armIds.map((_, arm) => this.allExpected.reduce((sum, rewards) => sum + rewards[arm]!, 0));
    const arm = bestArm(totals, this.world.retired);
    for (const [step, rewards] of this.allExpected.entries()) this.setBest(step, arm, rewards);
  }

  private setBest(step: number, arm: number, rewards: readonly number[]): void {
    this.best[step] = arm;
    this.expectedBest[step] = rewards[arm]!;
  }
}

/** @returns the first of the best. */
function bestArm(rewards: readonly number[], retired: ReadonlySet<number>): number {
  let best = -1;
  for (let arm = 0; arm < rewards.length; arm++) {
    if (!retired.has(arm) && (best < 0 || rewards[arm]! > rewards[best]!)) best = arm;
  }
  return best;
}

/** One for each declared feature that has few values. */
function segmentsOf({ features }: Environment, { context }: SimulatedUnit): readonly string[] {
  return features
    .filter(({ kind }) => kind === 'boolean' || kind === 'category')
    .map(({ name }) => `${name}=${context.get(name)}`);
}
