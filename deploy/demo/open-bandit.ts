/**
 * The Open Bandit Dataset as Croupier's events, and what it says of policies that were not played.
 */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { flooredProbabilities } from '../../services/core/deciding/decide.ts';
import { estimateOffPolicy, type OffPolicyResult } from '../../services/core/evaluation/off-policy.ts';
import type {
  ArmId,
  Decision,
  DecisionId,
  ExperimentId,
  Reward,
  RewardId,
  UnitId,
} from '../../services/core/events.ts';
import type { Experiment } from '../../services/core/experiment.ts';
import type { PolicyInput } from '../../services/core/policies/policy.ts';
import { findPolicy } from '../../services/core/policies/registry.ts';
import { N, PULLS, SUM_R, SUM_RR, sumsLayout } from '../../services/core/sums/layout.ts';

export const OPEN_BANDIT = 'open-bandit' as ExperimentId;
const METRIC = 'obd-click';
const ITEMS = 80;
const FOLDER = new URL('../../test/data/obd/', import.meta.url);

export interface LoggedImpression {
  readonly row: number;
  readonly shownAtMs: number;
  readonly item: number;
  readonly click: 0 | 1;
  readonly propensity: number;
}

/** @param policy whose log: `random` dealt every item alike, `bts` was a Bernoulli Thompson sampling policy. */
export async function readOpenBandit(policy: 'random' | 'bts'): Promise<LoggedImpression[]> {
  const text = gunzipSync(await readFile(new URL(`${policy}-all.csv.gz`, FOLDER))).toString();
  const [, ...lines] = text.trimEnd().split('\n');
  return lines.map((line, row) => {
    const [timestamp, item, , click, propensity] = line.split(',') as [string, string, string, string, string];
    return {
      row,
      shownAtMs: Date.parse(timestamp.replace(' ', 'T')),
      item: Number(item),
      click: click === '1' ? 1 : 0,
      propensity: Number(propensity),
    };
  });
}

/** @returns the decision that was logged, under the definition's first version. The dataset names no users: each row is a unit. */
export function toDecision({ row, shownAtMs, item, propensity }: LoggedImpression): Decision {
  return {
    decisionId: `obd-${row}` as DecisionId,
    experimentId: OPEN_BANDIT,
    experimentVersion: 1,
    unitId: unitOf(row),
    slots: [{ armId: armOf(item), propensity }],
    reason: 'bandit',
    policy: 'random',
    snapshotVersion: 0,
    pendingExposures: 0,
    features: [],
    decidedAtMs: shownAtMs,
  };
}

/** @returns the click, `null` where there was none. The dataset says that it came, not when. */
export function toReward({ row, shownAtMs, click }: LoggedImpression): Reward | null {
  if (click === 0) return null;
  return {
    rewardId: `obd-${row}/click` as RewardId,
    revision: 0,
    unitId: unitOf(row),
    metric: METRIC,
    value: 1,
    occurredAtMs: shownAtMs,
    decisionId: `obd-${row}` as DecisionId,
    experimentId: null,
    armId: null,
  };
}

export function clickRate(log: readonly LoggedImpression[]): number {
  return log.reduce((clicks, { click }) => clicks + click, 0) / log.length;
}

export interface OffPolicyRow {
  readonly policy: string;
  readonly result: OffPolicyResult;
}

/** What the log of the random policy says of the uniform policy and of the learned one. */
export function evaluateOffPolicy(
  log: readonly LoggedImpression[],
  experiment: Experiment,
  learned: Float64Array,
): OffPolicyRow[] {
  return [
    { policy: 'uniform', result: estimate(log, () => 1 / ITEMS) },
    { policy: 'learned, on the rows it learned from', result: estimate(log, ({ item }) => learned[item]!) },
    { policy: 'learned, each half on the other (cross-fitted)', result: crossFitted(log, experiment) },
  ];
}

/** A policy judged on what it learned from looks better than it is; each half's policy is judged on the other half. */
function crossFitted(log: readonly LoggedImpression[], experiment: Experiment): OffPolicyResult {
  const half = ({ row }: LoggedImpression): number => row % 2;
  const policies = [0, 1].map((fold) =>
    learnedFrom(
      log.filter((one) => half(one) !== fold),
      experiment,
    ),
  );
  return estimate(log, (impression) => policies[half(impression)]![impression.item]!);
}

/** @returns by item, the probabilities of the experiment's policy after these rows. */
export function learnedFrom(log: readonly LoggedImpression[], experiment: Experiment): Float64Array {
  const layout = sumsLayout(0);
  const sums = Array.from({ length: ITEMS }, () => new Float64Array(layout.size));
  for (const { item, click } of log) {
    const cells = sums[item]!;
    cells[PULLS]! += 1;
    cells[N]! += 1;
    cells[SUM_R]! += click;
    cells[SUM_RR]! += click;
  }
  const { kind, parameters } = experiment.policies[0]!;
  const policy = findPolicy(kind);
  const armIds = experiment.arms.map((arm) => arm.id);
  const attributes = experiment.arms.map((arm) => arm.attributes);
  const input: PolicyInput = { layout, armIds, attributes, sums };
  const serving = policy.serve(policy.prepare(input, parameters), parameters, null);
  return flooredProbabilities(serving, new Float64Array(), [...sums.keys()], experiment.floor);
}

function estimate(
  log: readonly LoggedImpression[],
  targetProbability: (impression: LoggedImpression) => number,
): OffPolicyResult {
  return estimateOffPolicy(
    log.map((impression) => ({
      unitId: unitOf(impression.row),
      reward: impression.click,
      propensity: impression.propensity,
      targetProbability: targetProbability(impression),
    })),
  );
}

function unitOf(row: number): UnitId {
  return `obd-${row}` as UnitId;
}

function armOf(item: number): ArmId {
  return `item-${item}` as ArmId;
}
