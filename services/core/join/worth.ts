/**
 * What a decision is worth, slot by slot, by the rewards that belong to it: revisions settled, values folded, cost taken
 * off, scaled to the declared range. Not here: which rewards belong to it (attribution.ts), and sums (learning).
 */
import type { ArmId } from '../events.ts';
import { armOf, type Experiment, type RewardSpec } from '../experiment.ts';
import { quantizeReward } from '../quantize.ts';
import { reaches } from './attribution.ts';
import type { DecisionEntry, JoinLimits, RewardEntry } from './group.ts';

/** What one slot of a decision contributes to the sums. */
export interface Outcome {
  /** Reward in reward units; `null` while the slot does not count. */
  readonly rewardUnits: number | null;
  /** The folded reward lay outside the declared range. */
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
  const values: NamedValue[] = [];
  for (const reward of inOrder) {
    const value = currentValue(reward, decision, limits);
    if (value !== null) values.push({ armId: reward.armId, value });
  }
  return decision.slots.map(({ armId }) => outcomeOf(armId, values, experiment));
}

interface NamedValue {
  /** The one slot's that it counts for; `null` for every slot. */
  readonly armId: ArmId | null;
  readonly value: number;
}

function byOccurrence(a: RewardEntry, b: RewardEntry): number {
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

function outcomeOf(armId: ArmId, named: readonly NamedValue[], experiment: Experiment): Outcome {
  const { reward } = experiment;
  const values = named.filter((each) => each.armId === null || each.armId === armId).map(({ value }) => value);
  if (values.length === 0 && reward.missing.mode === 'labelled') return { rewardUnits: null, clipped: false };
  const folded = values.length === 0 ? imputed(reward) : fold(reward.fold, values);
  const cost = reward.costAttribute === null ? 0 : armAttribute(experiment, armId, reward.costAttribute);
  return scale(folded - cost, reward);
}

function imputed(reward: RewardSpec): number {
  return reward.missing.mode === 'impute' ? reward.missing.value : 0;
}

function armAttribute(experiment: Experiment, armId: ArmId, name: string): number {
  return armOf(experiment, armId)?.attributes.get(name) ?? 0;
}

/** @param values at least one, in order of occurrence. */
function fold(kind: RewardSpec['fold'], values: readonly number[]): number {
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

/** Maps the declared range to [0, 1] and on to reward units. */
function scale(value: number, { min, max }: RewardSpec): Outcome {
  const scaled = (value - min) / (max - min);
  const bounded = Math.min(1, Math.max(0, scaled));
  return { rewardUnits: quantizeReward(bounded), clipped: bounded !== scaled };
}
