/**
 * What callers ask, whatever the transport, and the check of it: bounded, finite, well-formed, or refused.
 * User-given names live in Maps only, so that no key has a meaning of its own.
 */
import { finite, text, timeMs, whole } from '../contracts/checks.ts';
import { ARMS_MAX, TEXT_LENGTH_MAX } from '../contracts/limits.ts';
import type { ContextValue } from '../core/context.ts';
import type { DecideRequest } from '../core/deciding/decide.ts';
import { Invalid } from '../core/errors.ts';
import type { ArmId, DecisionId, ExperimentId, Reward, RewardId, UnitId } from '../core/events.ts';

export const CONTEXT_KEYS_MAX = 1_000;

export interface DecideInput {
  readonly experimentId: string;
  readonly unitId: string;
  /** Values not checked yet. */
  readonly context: ReadonlyMap<string, unknown>;
  /** A policy kind of the experiment; `null` for its first. */
  readonly algorithm: string | null;
  /** Empty for all active arms. */
  readonly eligibleArmIds: readonly string[];
  /** How many arms to deal. */
  readonly slots: number;
}

export interface RewardInput {
  /** `null` to have one made up: then a repeated call counts twice. */
  readonly rewardId: string | null;
  readonly revision: number;
  readonly unitId: string;
  readonly metric: string;
  /** In raw units; `null` retracts. */
  readonly value: number | null;
  /** `null` for now. */
  readonly occurredAtMs: number | null;
  readonly decisionId: string | null;
  readonly experimentId: string | null;
  readonly armId: string | null;
}

/** @throws Invalid. */
export function checkDecide(input: DecideInput): {
  readonly experimentId: ExperimentId;
  readonly request: DecideRequest;
} {
  const { eligibleArmIds } = input;
  if (eligibleArmIds.length > ARMS_MAX) {
    throw new Invalid('arms-range', `${eligibleArmIds.length} eligible arms, allowed at most ${ARMS_MAX}`);
  }
  return {
    experimentId: text('experiment id', input.experimentId) as ExperimentId,
    request: {
      unitId: text('unit id', input.unitId) as UnitId,
      context: checkContext(input.context),
      algorithm: input.algorithm === null ? null : text('algorithm', input.algorithm),
      eligibleArmIds: eligibleArmIds.length === 0 ? null : eligibleArmIds.map((id) => text('eligible arm id', id)),
      slots: input.slots,
    },
  };
}

/** @throws Invalid. */
export function checkReward(input: RewardInput, made: { readonly id: () => string; readonly nowMs: number }): Reward {
  return {
    rewardId: text('reward id', input.rewardId ?? made.id()) as RewardId,
    revision: whole('revision', input.revision, { min: 0 }),
    unitId: text('unit id', input.unitId) as UnitId,
    metric: text('metric', input.metric),
    value: input.value === null ? null : finite('reward', input.value),
    occurredAtMs: timeMs('occurredAtMs', input.occurredAtMs ?? made.nowMs),
    decisionId: input.decisionId === null ? null : (text('decision id', input.decisionId) as DecisionId),
    experimentId: input.experimentId === null ? null : (text('experiment id', input.experimentId) as ExperimentId),
    armId: input.armId === null ? null : (text('arm id', input.armId) as ArmId),
  };
}

function checkContext(context: ReadonlyMap<string, unknown>): ReadonlyMap<string, ContextValue> {
  if (context.size > CONTEXT_KEYS_MAX) {
    throw new Invalid('context', `context has ${context.size} keys, allowed are at most ${CONTEXT_KEYS_MAX}`);
  }
  return new Map([...context].map(([name, value]) => [text('context key', name), checkValue(name, value)]));
}

function checkValue(name: string, value: unknown): ContextValue {
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value)) return value;
      throw new Invalid('context', `context key ${name} is ${value}, allowed are finite numbers`);
    case 'string':
      if (value.length <= TEXT_LENGTH_MAX) return value;
      throw new Invalid(
        'context',
        `context key ${name} has ${value.length} characters, allowed are at most ${TEXT_LENGTH_MAX}`,
      );
    default:
      throw new Invalid('context', `context key ${name} is no boolean, number or string`);
  }
}
