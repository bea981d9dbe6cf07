/** What happened at each step of a run, beside what could have happened. Owns the growing record. */
import { assert } from '../core/errors.ts';
import type { Environment, SimulatedUnit } from './environment.ts';

/** Rewards are after costs and in their own unit; vectors have one entry a step, rewards of all its slots added up. */
export interface RunRecord {
  readonly armIds: readonly string[];
  readonly slots: number;
  /** Indices of the dealt arms, `slots` for each step, … */
  readonly dealt: Int32Array;
  /** … and of the ones that regret is measured against. */
  readonly best: Int32Array;
  /** Expected reward of the dealt arms, … */
  readonly expected: Float64Array;
  /** … of the best ones, … */
  readonly expectedBest: Float64Array;
  /** … and of the first ones, the baseline. */
  readonly expectedFirst: Float64Array;
  /** What the dealt arms did bring, whether or not anybody heard of it within the run. */
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
    this.dealt = new Int32Array(steps * world.slots);
    this.best = new Int32Array(steps * world.slots);
    this.expected = new Float64Array(steps);
    this.expectedBest = new Float64Array(steps);
    this.expectedFirst = new Float64Array(steps);
    this.observed = new Float64Array(steps);
  }

  /** @param armIndices, values by slot: what was dealt, and what it brought before its cost. */
  record(unit: SimulatedUnit, armIndices: readonly number[], values: readonly number[]): void {
    const { world, step } = this;
    assert(armIndices.length === world.slots, `${armIndices.length} of ${world.slots} slots were dealt`);
    const rewards = world.expectedRewards(unit);
    this.dealt.set(armIndices, step * world.slots);
    this.expected[step] = totalOf(rewards, armIndices);
    this.expectedFirst[step] = totalOf(rewards, [...armIndices.keys()]);
    this.observed[step] = totalOf(values, [...values.keys()]) - totalOf(world.costs, armIndices);
    this.segments.push(segmentsOf(world, unit));
    if (world.benchmark === 'best-fixed') this.allExpected.push([...rewards]);
    else this.setBest(step, bestArms(rewards, world), rewards);
    this.step += 1;
  }

  finish(): RunRecord {
    const { world, step, dealt, best, expected, expectedBest, expectedFirst, observed, segments } = this;
    assert(step === expected.length, `${step} of ${expected.length} steps were recorded`);
    if (world.benchmark === 'best-fixed') this.setBestFixed();
    const { slots, costOfUnit } = world;
    const armIds = [...world.armIds];
    return { armIds, slots, dealt, best, expected, expectedBest, expectedFirst, observed, segments, costOfUnit };
  }

  private setBestFixed(): void {
    const totals = this.world.armIds.map((_, arm) => this.allExpected.reduce((sum, rewards) => sum + rewards[arm]!, 0));
    const arms = bestArms(totals, this.world);
    for (const [step, rewards] of this.allExpected.entries()) this.setBest(step, arms, rewards);
  }

  private setBest(step: number, arms: readonly number[], rewards: readonly number[]): void {
    this.best.set(arms, step * arms.length);
    this.expectedBest[step] = totalOf(rewards, arms);
  }
}

/** @returns as many as there are slots, the best first; of equal ones the first. */
function bestArms(rewards: readonly number[], { slots, retired }: Environment): readonly number[] {
  const best: number[] = [];
  for (let arm = 0; arm < rewards.length; arm++) {
    if (retired.has(arm)) continue;
    let at = best.length;
    while (at > 0 && rewards[arm]! > rewards[best[at - 1]!]!) at--;
    if (at >= slots) continue;
    best.splice(at, 0, arm);
    if (best.length > slots) best.pop();
  }
  return best;
}

function totalOf(values: readonly number[], indices: readonly number[]): number {
  return indices.reduce((total, index) => total + values[index]!, 0);
}

/** One for each declared feature that has few values. */
function segmentsOf({ features }: Environment, { context }: SimulatedUnit): readonly string[] {
  return features
    .filter(({ kind }) => kind === 'boolean' || kind === 'category')
    .map(({ name }) => `${name}=${context.get(name)}`);
}
