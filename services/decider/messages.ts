/**
 * The messages of schemas/proto/croupier/v1/decider.proto as plain objects, shared by gRPC and JSON: names in camelCase,
 * 64-bit numbers as text, enums by name (the proto3 JSON mapping). In JSON, names in snake_case and plain context values
 * are taken too. Not here: transports.
 */
import { z } from 'zod';
import { type CroupierError, Invalid } from '../core/errors.ts';
import type { DecisionReason } from '../core/events.ts';
import type { BatchResult, Dealt } from './decider.ts';
import type { DecideInput, RewardInput } from './requests.ts';

/** 64 bits come as text where a number may lose some; our own limits are within 53. */
const long = z.union([
  z.int(),
  z
    .string()
    .regex(/^-?\d{1,16}$/)
    .transform(Number),
]);

export const context = z
  .custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'expected an object')
  .transform((value) => new Map(Object.entries(value).map(([name, each]) => [name, contextValue(each)])));

const optional = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? null);

const decideRequest = z
  .strictObject({
    experimentId: z.string(),
    unitId: z.string(),
    context: context.nullish(),
    algorithm: optional(z.string()),
    eligibleArmIds: z.array(z.string()).nullish(),
    slots: z.int().nullish(),
  })
  .transform(
    (message): DecideInput => ({
      ...message,
      context: message.context ?? new Map(),
      eligibleArmIds: message.eligibleArmIds ?? [],
      slots: message.slots ?? 1,
    }),
  );

const rewardRequest = z
  .strictObject({
    rewardId: optional(z.string()),
    revision: long.nullish().transform((value) => value ?? 0),
    unitId: z.string(),
    metric: z.string(),
    value: optional(z.number()),
    occurredAtMs: optional(long),
    decisionId: optional(z.string()),
    experimentId: optional(z.string()),
    armId: optional(z.string()),
  })
  .transform((message): RewardInput => message);

const batchRequest = z.strictObject({ requests: z.array(z.unknown()) });

/** @throws Invalid `malformed`. */
export function readDecideRequest(message: unknown): DecideInput {
  return parse(decideRequest, camelNames(message));
}

/** @returns as many as were sent; checks only that there are requests. @throws Invalid `malformed`. */
export function readBatchRequest(message: unknown): readonly unknown[] {
  return parse(batchRequest, message).requests;
}

/** @throws Invalid `malformed`. */
export function readRewardRequest(message: unknown): RewardInput {
  return parse(rewardRequest, camelNames(message));
}

const REASONS: Readonly<Record<DecisionReason, string>> = {
  bandit: 'DECISION_REASON_BANDIT',
  fallback: 'DECISION_REASON_FALLBACK',
  holdout: 'DECISION_REASON_HOLDOUT',
  shadow: 'DECISION_REASON_SHADOW',
  forced: 'DECISION_REASON_FORCED',
};

export function decideResponse({ outcome: { decision, slots } }: Dealt): object {
  return {
    decisionId: decision.decisionId,
    experimentId: decision.experimentId,
    experimentVersion: decision.experimentVersion,
    slots: decision.slots.map(({ armId, propensity }, at) => ({ armId, armIndex: slots[at]!.armIndex, propensity })),
    reason: REASONS[decision.reason],
    policy: decision.policy,
    snapshotVersion: String(decision.snapshotVersion),
    decidedAtMs: String(decision.decidedAtMs),
  };
}

export function batchResponse(results: readonly BatchResult[]): object {
  return {
    results: results.map((result) =>
      'dealt' in result ? { decision: decideResponse(result.dealt) } : { error: decideError(result.error) },
    ),
  };
}

function decideError({ code, message }: CroupierError): object {
  return { code, message };
}

/** @throws Invalid `malformed` naming each wrong field. */
export function parse<T>(type: z.ZodType<T>, message: unknown): T {
  const result = type.safeParse(message);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message: problem }) => `${path.join('.') || 'request'}: ${problem}`,
  );
  throw new Invalid('malformed', problems.join('; '));
}

/** A value of the context: as it is, or wrapped as the proto's ContextValue. */
function contextValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const wrapped = Object.entries(value);
  const [name, inner] = wrapped.length === 1 ? wrapped[0]! : [];
  return name !== undefined && /^(bool_?value|number_?value|string_?value)$/i.test(name) ? inner : value;
}

/** Top-level names only: what is inside belongs to the caller. */
function camelNames(message: unknown): unknown {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return message;
  return Object.fromEntries(
    Object.entries(message).map(([name, value]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}
