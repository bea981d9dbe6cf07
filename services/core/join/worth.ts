/**
 * What a decision is worth, slot by slot, by the rewards that belong to it: revisions settled, each metric folded, the
 * formula applied, its value scaled to the declared range. Not here: which rewards belong to it (attribution.ts), and sums
 * (learning).
 */
import type { ArmId } from '../events.ts';
import type { Experiment, Fold, RewardSpec } from '../experiment.ts';
import { quantizeReward } from '../quantize.ts';
import { reaches } from './attribution.ts';
import type { DecisionEntry, JoinLimits, RewardEntry } from './group.ts';
import { slotValue } from './reward-formula.ts';

/** What one slot of a decision contributes to the sums. */
export interface Outcome {
  /** Reward in reward units; `null` while the slot does not count. */
  readonly rewardUnits: number | null;
  /** Of its first reward, from 0 to the attribution window; `null` without one, and where delays are not counted. */
  readonly firstDelayMs: number | null;
  /** Its value lay outside the declared range, or was no number. */
  readonly clipped: boolean;
}

/** @param owned the rewards that belong to the decision. @returns one outcome for each slot. */
export function outcomesOf(
  decision: DecisionEntry,
  owned: readonly RewardEntry[],
  experiment: Experiment,
  limits: JoinLimits,
): Outcome[] {
  const inOrder = owned.length < 2 ? owned : owned.toSorted(byOccurrence);
  const values: MetricValue[] = [];
  for (const reward of inOrder) {
    const value = currentValue(reward, decision, limits);
    const { metric, armId, occurredAtMs } = reward.facts;
    if (value !== null) values.push({ metric, armId, delayMs: occurredAtMs - decision.decidedAtMs, value });
  }
  return decision.slots.map(({ armId }) => outcomeOf(armId, decision.features, values, experiment));
}

interface MetricValue {
  readonly metric: string;
  /** The one slot's that it counts for; `null` for every slot. */
  readonly armId: ArmId | null;
  readonly delayMs: number;
  readonly value: number;
}

function byOccurrence({ facts: a }: RewardEntry, { facts: b }: RewardEntry): number {
  return a.occurredAtMs - b.occurredAtMs || (a.rewardId < b.rewardId ? -1 : 1);
}

/** @returns the value of the highest revision that reaches the decision; `null` when that retracts. */
function currentValue(reward: RewardEntry, decision: DecisionEntry, limits: JoinLimits): number | null {
  // The first record reaches it, or the reward would not belong to it.
  let current = reward.records[0];
  for (const record of reward.records) {
    if (record.revision > current.revision && reaches(record.clockMs, decision, limits)) current = record;
  }
  return current.value;
}

function outcomeOf(
  armId: ArmId,
  features: readonly number[],
  values: readonly MetricValue[],
  experiment: Experiment,
): Outcome {
  const { reward } = experiment;
  let firstMs = Number.POSITIVE_INFINITY;
  const folded: number[] = [];
  for (const [name, metric] of reward.metrics) {
    const own: number[] = [];
    for (const each of values) {
      if (each.metric !== name || (each.armId !== null && each.armId !== armId)) continue;
      own.push(each.value);
      firstMs = Math.min(firstMs, each.delayMs);
    }
    folded.push(own.length === 0 ? metric.default : fold(metric.fold, own));
  }
  const came = firstMs < Number.POSITIVE_INFINITY;
  if (!came && reward.delay === 'labelled') return { rewardUnits: null, firstDelayMs: null, clipped: false };
  const counted = came && reward.delay === 'delay-corrected';
  return {
    ...scale(slotValue({ armId, features, folded }, experiment), reward),
    firstDelayMs: counted ? firstMs : null,
  };
}

/** @param values at least one, in order of occurrence. */
function fold(kind: Fold, values: readonly number[]): number {
  switch (kind) {
    case 'sum':
      return values.reduce((a, b) => a + b);
    case 'mean':
      return values.reduce((a, b) => a + b) / values.length;
    case 'max':
      return values.reduce((a, b) => Math.max(a, b));
    case 'min':
      return values.reduce((a, b) => Math.min(a, b));
    case 'first':
      return values[0]!;
    case 'last':
      return values.at(-1)!;
  }
}

/** Maps the declared range to [0, 1] and on to reward units; what is no number counts as the least. */
function scale(value: number, { min, max }: RewardSpec): Pick<Outcome, 'rewardUnits' | 'clipped'> {
  const scaled = (value - min) / (max - min);
  const bounded = scaled > 0 ? Math.min(1, scaled) : 0;
  return { rewardUnits: quantizeReward(bounded), clipped: bounded !== scaled };
}
