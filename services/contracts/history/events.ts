/**
 * Past decisions and rewards from the rows of files. What is accepted here the learner accepts: decisions are held against
 * the learner's own rules, and both against the events' own contract.
 */
import { createHash } from 'node:crypto';
import type { ContextValue } from '../../core/context.ts';
import { encodeContext } from '../../core/deciding/encode-context.ts';
import type { Decision, ExperimentId, Reward, UnitId } from '../../core/events.ts';
import type { Experiment } from '../../core/experiment.ts';
import { emptyGroup, type JoinLimits } from '../../core/join/group.ts';
import { handleDecision } from '../../core/learning/partition.ts';
import { fromDecision } from '../decision.ts';
import { unknownName } from '../nearest.ts';
import { refuse } from '../refusals.ts';
import { fromReward } from '../reward.ts';
import { booleanOf, type Cell, type Cells, numberOf, textOf, timeMsOf } from './cells.ts';
import type { Columns, DecisionField, RewardField } from './columns.ts';

/** What past events are held against. */
export interface HistoryRules {
  readonly experiments: ReadonlyMap<ExperimentId, Experiment>;
  readonly limits: JoinLimits;
  /** Nothing of the past lies after it. */
  readonly nowMs: number;
}

/** Stands for the policy where a file names none. */
const POLICY = 'history';

/**
 * @returns the decision as of the experiment's present version, how many context numbers were cut to the grid's range, and
 *   whether the experiment was there already when it was made.
 * @throws Invalid with a code of refusals.ts, or `context`.
 */
export function pastDecision(
  columns: Columns<DecisionField>,
  cells: Cells,
  rules: HistoryRules,
): { readonly event: Decision; readonly clipped: number; readonly afterDefinition: boolean } {
  const experiment = known(textOf('experiment', columns.needed('experiment', cells)), rules);
  const unitId = textOf('unit', columns.needed('unit', cells));
  const decidedAtMs = pastMs(columns.needed('time', cells), rules);
  const arms = listOf(columns.needed('arm', cells)).map((cell) => textOf('arm', cell));
  const propensities = listOf(columns.needed('propensity', cells)).map((cell) => numberOf('propensity', cell));
  if (arms.length !== propensities.length) {
    refuse('contradictory', `${arms.length} arms and ${propensities.length} propensities, allowed is as many of both`);
  }
  const { features, clipped } = encodeContext(experiment.context, contextOf(experiment, columns, cells));
  const event = fromDecision({
    decisionId: given('id', columns.perhaps('id', cells)) ?? idOf([experiment.id, unitId, decidedAtMs, arms]),
    experimentId: experiment.id,
    experimentVersion: experiment.version,
    unitId,
    slots: arms.map((armId, at) => ({ armId, propensity: propensities[at]! })),
    reason: given('reason', columns.perhaps('reason', cells)) ?? 'bandit',
    policy: given('policy', columns.perhaps('policy', cells)) ?? POLICY,
    snapshotVersion: 0,
    pendingExposures: 0,
    features: [...features],
    decidedAtMs,
  });
  // Appended after the definition that it names, whatever this machine's clock says.
  const clockMs = Math.max(rules.nowMs, experiment.appliedAtMs.at(-1)!);
  handleDecision(emptyGroup(event.unitId), event, clockMs, rules);
  return { event, clipped, afterDefinition: decidedAtMs >= experiment.appliedAtMs[0]! };
}

/** @throws Invalid with a code of refusals.ts. */
export function pastReward(columns: Columns<RewardField>, cells: Cells, rules: HistoryRules): Reward {
  const named = given('experiment', columns.perhaps('experiment', cells));
  const experiment = named === null ? null : known(named, rules);
  const unitId = textOf('unit', columns.needed('unit', cells)) as UnitId;
  const occurredAtMs = pastMs(columns.needed('time', cells), rules);
  const value = numberOf('value', columns.needed('value', cells));
  const metric =
    given('metric', columns.perhaps('metric', cells)) ??
    onlyMetric(experiment) ??
    textOf('metric', columns.needed('metric', cells));
  assertLearned(metric, experiment, rules);
  const decisionId = given('decision', columns.perhaps('decision', cells));
  const armId = given('arm', columns.perhaps('arm', cells));
  if (armId !== null) assertArm(armId, experiment);
  const revision = columns.perhaps('revision', cells);
  return fromReward({
    rewardId:
      given('id', columns.perhaps('id', cells)) ??
      idOf([named, unitId, occurredAtMs, metric, value, decisionId, armId]),
    revision: revision === null ? 0 : numberOf('revision', revision),
    unitId,
    metric,
    value,
    occurredAtMs,
    decisionId,
    experimentId: experiment?.id ?? null,
    armId,
  });
}

function contextOf(
  { context }: Experiment,
  columns: Columns<DecisionField>,
  cells: Cells,
): ReadonlyMap<string, ContextValue> {
  const values = new Map<string, ContextValue>();
  for (const { kind, name } of context) {
    const cell = kind === 'cross' ? null : columns.feature(name, cells);
    if (cell === null) continue;
    if (kind === 'boolean') values.set(name, booleanOf(name, cell));
    else values.set(name, kind === 'number' ? numberOf(name, cell) : textOf(name, cell));
  }
  return values;
}

function known(id: string, { experiments }: HistoryRules): Experiment {
  const experiment = experiments.get(id as ExperimentId);
  if (experiment !== undefined) return experiment;
  refuse('unknown-experiment', `${JSON.stringify(id)}: ${unknownName('experiment', id, [...experiments.keys()])}`);
}

/** Of an experiment with several, each row must say which it is. */
function onlyMetric(experiment: Experiment | null): string | null {
  const [first, second] = experiment?.reward.metrics.keys() ?? [];
  return second === undefined ? (first ?? null) : null;
}

/** A reward that nothing learns from is most often a misspelt one. */
function assertLearned(metric: string, experiment: Experiment | null, { experiments }: HistoryRules): void {
  const reached = experiment === null ? [...experiments.values()] : [experiment];
  const metrics = new Set(reached.flatMap(({ reward }) => [...reward.metrics.keys()]));
  if (metrics.has(metric)) return;
  refuse('unknown-metric', `${JSON.stringify(metric)}: ${unknownName('metric', metric, [...metrics])}`);
}

function assertArm(armId: string, experiment: Experiment | null): void {
  const arms = experiment?.arms.map(({ id }) => id as string) ?? [armId];
  if (!arms.includes(armId)) refuse('unknown-arm', `${JSON.stringify(armId)}: ${unknownName('arm', armId, arms)}`);
}

function pastMs(cell: Cell, { nowMs }: HistoryRules): number {
  const timeMs = timeMsOf('time', cell);
  if (timeMs <= nowMs) return timeMs;
  refuse('time-range', `time is ${new Date(timeMs).toISOString()}, which is still to come`);
}

function given(field: string, cell: Cell | null): string | null {
  return cell === null ? null : textOf(field, cell);
}

function listOf(cell: Cell): readonly Cell[] {
  return Array.isArray(cell) ? cell : [cell];
}

/** The same for a row that says the same, so that reading it again makes a repeat and not another event. */
function idOf(parts: readonly unknown[]): string {
  return `history-${createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)}`;
}
