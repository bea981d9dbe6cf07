/** Rewards for tests, as a file would write them. */
import { rewardFormula } from '../../services/contracts/reward-formula.ts';
import type { Metric, RewardSpec } from '../../services/core/experiment.ts';

export interface WrittenReward extends Partial<Pick<RewardSpec, 'min' | 'max' | 'delay'>> {
  /** The sum of clicks when not said otherwise. */
  readonly metrics?: Readonly<Record<string, Partial<Metric>>>;
  readonly value?: string;
}

export function rewardSpec({ metrics = { click: {} }, value, ...rest }: WrittenReward = {}): RewardSpec {
  const named = new Map(
    Object.entries(metrics).map(([name, metric]): [string, Metric] => [name, { fold: 'sum', default: 0, ...metric }]),
  );
  return { metrics: named, value: rewardFormula(value, named), min: 0, max: 4, delay: 'impute', ...rest };
}
