/**
 * What the sums must be, by definition: every reward of a unit held against every decision of it, and the sums added up
 * from nothing. Slow, and written apart from core/join on purpose.
 */
import type { ExperimentId } from '../../services/core/events.ts';
import type { Experiment } from '../../services/core/experiment.ts';
import { outcomeOf } from '../../services/core/join/attribution.ts';
import type { DecisionEntry, Group, JoinLimits, RewardEntry } from '../../services/core/join/group.ts';
import type { Rules } from '../../services/core/learning/partition.ts';
import { PartitionSums } from '../../services/core/learning/sums.ts';

/** @param groups from which nothing was ever dropped. */
export function sumsByDefinition(groups: Iterable<Group>, { experiments, limits }: Rules): PartitionSums {
  const sums = new PartitionSums();
  for (const known of groups) {
    const group = { ...known, rewards: known.rewards.map((reward) => withOwners(reward, known, experiments, limits)) };
    for (const decision of group.decisions) {
      const { cohortMs } = experiments.get(decision.experimentId)!;
      const after = outcomeOf(group, decision, experiments, limits);
      const decidedAtMs = Math.min(decision.decidedAtMs, decision.clockMs + limits.earlyGraceMs);
      sums.apply({ decision, cohort: Math.floor(decidedAtMs / cohortMs), before: null, after });
    }
  }
  return sums;
}

function withOwners(
  reward: RewardEntry,
  { decisions }: Group,
  experiments: ReadonlyMap<ExperimentId, Experiment>,
  limits: JoinLimits,
): RewardEntry {
  const fitting = decisions.filter((decision) =>
    fits(reward, decision, experiments.get(decision.experimentId)!, limits),
  );
  const owners = [...Map.groupBy(fitting, ({ experimentId }) => experimentId).values()].map((of) => of.at(-1)!.seq);
  return { ...reward, owners };
}

function fits(
  { metric, experimentId, decisionId, occurredAtMs, records: [first] }: RewardEntry,
  decision: DecisionEntry,
  experiment: Experiment,
  limits: JoinLimits,
): boolean {
  const delayMs = occurredAtMs - decision.decidedAtMs;
  const appendedAfterMs = first.clockMs - decision.clockMs;
  if (metric !== experiment.reward.metric) return false;
  if (experimentId !== null && experimentId !== decision.experimentId) return false;
  if (decisionId !== null && decisionId !== decision.decisionId) return false;
  if (delayMs < 0 || delayMs > experiment.attribution.windowMs) return false;
  return appendedAfterMs >= -limits.earlyGraceMs && appendedAfterMs <= limits.windowMs + limits.graceMs;
}
