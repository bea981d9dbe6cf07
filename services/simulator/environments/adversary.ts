/**
 * Arms whose rewards were fixed beforehand by somebody who wishes no averages to be believed: one arm after another is
 * the good one, each for twice as long as the one before. Nothing is random, so what the best single arm would have
 * earned is known, and regret is measured against that (the setting of Exp3: Auer, Cesa-Bianchi, Freund & Schapire 2002).
 */
import { type Environment, NO_CONTEXT, PLAIN, type SimulatedUnit } from '../environment.ts';

const GOOD = 1;
const BAD = 0;

export interface AdversaryOptions {
  readonly arms: number;
  /** Length of the first phase; each later one is twice as long. */
  readonly firstPhaseSteps: number;
}

export class Adversary implements Environment {
  readonly retired = PLAIN.retired;
  readonly slots = PLAIN.slots;
  readonly armsRevision = PLAIN.armsRevision;
  readonly features = PLAIN.features;
  readonly layout = PLAIN.layout;
  readonly costOfUnit = PLAIN.costOfUnit;
  readonly benchmark = 'best-fixed';
  readonly rewardRange = { min: 0, max: 1 };
  readonly armIds: readonly string[];
  readonly costs: readonly number[];
  private phase = 0;
  private phaseSteps: number;
  private stepsLeft: number;
  private steps = 0;
  private rewards: readonly number[];

  constructor({ arms, firstPhaseSteps }: AdversaryOptions) {
    this.armIds = Array.from({ length: arms }, (_, arm) => `arm-${arm + 1}`);
    this.costs = this.armIds.map(() => 0);
    this.phaseSteps = firstPhaseSteps;
    this.stepsLeft = firstPhaseSteps;
    this.rewards = this.rewardsOf(0);
  }

  nextUnit(): SimulatedUnit {
    if (this.stepsLeft === 0) {
      this.phase += 1;
      this.phaseSteps *= 2;
      this.stepsLeft = this.phaseSteps;
      this.rewards = this.rewardsOf(this.phase);
    }
    this.stepsLeft -= 1;
    this.steps += 1;
    return { unitId: `user-${this.steps}`, context: NO_CONTEXT };
  }

  expectedRewards(): readonly number[] {
    return this.rewards;
  }

  observe(_unit: SimulatedUnit, armIndex: number): number {
    return this.rewards[armIndex]!;
  }

  private rewardsOf(phase: number): readonly number[] {
    const good = phase % this.armIds.length;
    return this.armIds.map((_, arm) => (arm === good ? GOOD : BAD));
  }
}
