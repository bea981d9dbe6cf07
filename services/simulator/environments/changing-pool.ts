/**
 * A pool of items that change, as in Chapelle & Li 2011, section 4: ten items at a time, each clicked with a rate from
 * Beta(4, 4), each retired with probability .001 at every step and replaced by a new one. The paper's feedback in blocks
 * of δ steps is a snapshot every δ steps.
 */
import type { Random } from '../../core/random.ts';
import { betaOfOrder } from '../beta.ts';
import { type Environment, NO_CONTEXT, PLAIN, type SimulatedUnit } from '../environment.ts';

const POOL_SIZE = 10;
const RETIREMENT = 0.001;
const RATE = { alpha: 4, beta: 4 };

export class ChangingPool implements Environment {
  readonly slots = PLAIN.slots;
  readonly features = PLAIN.features;
  readonly benchmark = PLAIN.benchmark;
  readonly layout = PLAIN.layout;
  readonly costOfUnit = PLAIN.costOfUnit;
  readonly rewardRange = { min: 0, max: 1 };
  readonly armIds: string[] = [];
  readonly costs: number[] = [];
  readonly retired = new Set<number>();
  armsRevision = 0;
  private readonly rates: number[] = [];
  private active: number[] = [];
  private steps = 0;

  constructor(random: Random) {
    for (let item = 0; item < POOL_SIZE; item++) this.active.push(this.add(random));
  }

  nextUnit(random: Random): SimulatedUnit {
    if (this.steps > 0) this.active = this.active.map((item) => this.keepOrReplace(item, random));
    this.steps += 1;
    return { unitId: `user-${this.steps}`, context: NO_CONTEXT };
  }

  expectedRewards(): readonly number[] {
    return this.rates;
  }

  observe(_unit: SimulatedUnit, armIndex: number, random: Random): number {
    return random.next() < this.rates[armIndex]! ? 1 : 0;
  }

  private keepOrReplace(item: number, random: Random): number {
    if (random.next() >= RETIREMENT) return item;
    this.retired.add(item);
    return this.add(random);
  }

  private add(random: Random): number {
    const item = this.armIds.length;
    this.armIds.push(`item-${item + 1}`);
    this.costs.push(0);
    this.rates.push(betaOfOrder(RATE, random));
    this.armsRevision += 1;
    return item;
  }
}
