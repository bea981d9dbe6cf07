/**
 * Cold start: thousands of albums of which each visitor is shown a few, most hardly ever wanted and some often. Every day
 * the oldest make room for new ones that nobody knows yet.
 */
import type { Random } from '../../core/random.ts';
import { betaOfOrder } from '../beta.ts';
import { type Environment, NO_CONTEXT, PLAIN, type SimulatedUnit } from '../environment.ts';

export interface AlbumsOptions {
  readonly albums: number;
  readonly newADay: number;
  readonly stepsADay: number;
  readonly slots: number;
}

/** Rates of playing: 5 % on average, one in a thousand above 21 %. */
const RATE = { alpha: 2, beta: 38 };

export class Albums implements Environment {
  readonly features = PLAIN.features;
  readonly benchmark = PLAIN.benchmark;
  readonly layout = PLAIN.layout;
  readonly costOfUnit = PLAIN.costOfUnit;
  readonly rewardRange = { min: 0, max: 1 };
  readonly slots: number;
  readonly armIds: string[] = [];
  readonly costs: number[] = [];
  readonly retired = new Set<number>();
  armsRevision = 0;
  private readonly rates: number[] = [];
  private readonly options: AlbumsOptions;
  private steps = 0;

  constructor(options: AlbumsOptions, random: Random) {
    this.options = options;
    this.slots = options.slots;
    this.add(options.albums, random);
  }

  nextUnit(random: Random): SimulatedUnit {
    const { newADay, stepsADay } = this.options;
    if (this.steps > 0 && this.steps % stepsADay === 0) {
      for (let i = 0; i < newADay; i++) this.retired.add(this.retired.size);
      this.add(newADay, random);
    }
    this.steps += 1;
    return { unitId: `visitor-${this.steps}`, context: NO_CONTEXT };
  }

  expectedRewards(): readonly number[] {
    return this.rates;
  }

  observe(_unit: SimulatedUnit, armIndex: number, random: Random): number {
    return random.next() < this.rates[armIndex]! ? 1 : 0;
  }

  private add(count: number, random: Random): void {
    for (let i = 0; i < count; i++) {
      this.armIds.push(`album-${this.armIds.length + 1}`);
      this.costs.push(0);
      this.rates.push(betaOfOrder(RATE, random));
    }
    this.armsRevision += 1;
  }
}
