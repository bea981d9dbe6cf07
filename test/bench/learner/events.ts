/**
 * Events of the peer's shape (../shared/peers/kstreams, Fill.java): four decisions a unit in random order, every second
 * live decision rewarded 10,000 to 50,000 decisions later. A function of their number; holds nothing.
 */
import type {
  ArmId,
  Decision,
  DecisionId,
  ExperimentId,
  Reward,
  RewardId,
  UnitId,
} from '../../../services/core/events.ts';

export interface Shape {
  /** Of topics of its own, when they must not be those that others of the same shape have filled. */
  readonly name?: string;
  /** Decisions without reward that come first. */
  readonly pending: number;
  /** Decisions that follow, every second with a reward. */
  readonly live: number;
  readonly experiments: number;
  readonly arms: number;
  /** Features of a decision, intercept included; 0 without context. */
  readonly dimension: number;
}

export type BenchEvent =
  | { readonly decision: Decision; readonly reward?: never }
  | {
      readonly reward: Reward;
      /** That it is learned for. */
      readonly experimentId: ExperimentId;
      readonly decision?: never;
    };

const DELAY = 10_000;
const SPREAD = 40_000;
const STEP_MS = 100;
const DECISIONS_PER_UNIT = 4;
export const METRIC = 'click';

export function eventCount({ pending, live }: Shape): number {
  return pending + live + live / 2;
}

/**
 * @param beginMs when the first decision was made.
 * @param from so many are left out, at most those that stay without reward.
 */
export function* events(shape: Shape, beginMs: number, from = 0): Generator<BenchEvent> {
  const total = shape.pending + shape.live;
  const due = new Map<number, number[]>();
  for (let step = from; step < total || due.size > 0; step++) {
    const atMs = beginMs + step * STEP_MS;
    if (step < total) {
      yield { decision: decisionOf(step, atMs, shape) };
      const isRewarded = step >= shape.pending && (step - shape.pending) % 2 === 0;
      if (isRewarded) {
        const at = step + DELAY + (mix(step, 1) % SPREAD);
        due.set(at, [...(due.get(at) ?? []), step]);
      }
    }
    for (const decided of due.get(step) ?? []) {
      const reward = rewardOf(decided, atMs, beginMs + decided * STEP_MS, shape);
      yield { reward, experimentId: experimentOf(decided, shape) };
    }
    due.delete(step);
  }
}

export function experimentId(index: number): ExperimentId {
  return `experiment-${index}` as ExperimentId;
}

export function armId(index: number): ArmId {
  return `arm-${index}` as ArmId;
}

function decisionOf(step: number, atMs: number, shape: Shape): Decision {
  const dice = mix(step, 2);
  return {
    decisionId: uuid(step, atMs) as DecisionId,
    experimentId: experimentOf(step, shape),
    experimentVersion: 1,
    unitId: unitOf(step, shape),
    slots: [{ armId: armId(((dice >>> 10) & 1023) % shape.arms), propensity: 1 / shape.arms }],
    reason: 'bandit',
    policy: shape.dimension === 0 ? 'beta-ts' : 'linucb',
    snapshotVersion: step,
    pendingExposures: 0,
    features: Array.from({ length: shape.dimension }, (_, at) => (at === 0 ? 1 : (mix(step, 3 + at) & 65535) / 65536)),
    decidedAtMs: atMs,
  };
}

function experimentOf(step: number, { experiments }: Shape): ExperimentId {
  return experimentId((mix(step, 2) & 1023) % experiments);
}

function rewardOf(step: number, atMs: number, decidedAtMs: number, shape: Shape): Reward {
  return {
    rewardId: uuid(step + 0x4000_0000, atMs) as RewardId,
    revision: 0,
    unitId: unitOf(step, shape),
    metric: METRIC,
    value: mix(step, 0) % 4 === 0 ? 1 : 0,
    occurredAtMs: atMs,
    decisionId: uuid(step, decidedAtMs) as DecisionId,
    experimentId: null,
    armId: null,
  };
}

function unitOf(step: number, { pending, live }: Shape): UnitId {
  const units = (pending + live) / DECISIONS_PER_UNIT;
  return `unit-${String(mix(step, 31) % units).padStart(8, '0')}` as UnitId;
}

/** Looks like the decider's UUIDv7: time first. */
function uuid(index: number, atMs: number): string {
  const time = atMs.toString(16).padStart(12, '0');
  const low = mix(index, 5).toString(16).padStart(8, '0') + index.toString(16).padStart(8, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${low.slice(0, 3)}-8${low.slice(3, 6)}-${low.slice(6)}${'00'}`;
}

/** @returns 32 well mixed bits. */
function mix(index: number, salt: number): number {
  let x = Math.imul(index, 0x9e3779b1) ^ Math.imul(salt + 1, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
