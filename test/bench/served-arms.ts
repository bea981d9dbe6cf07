/** Beta Thompson sampling over arms without context, as a decider serves it. */
import { decide } from '../../services/core/deciding/decide.ts';
import { type ServedExperiment, serve } from '../../services/core/deciding/served.ts';
import type { DecisionId, UnitId } from '../../services/core/events.ts';
import { betaTs } from '../../services/core/policies/beta-ts.ts';
import type { PolicyInput } from '../../services/core/policies/policy.ts';
import { validateParameters } from '../../services/core/policies/registry.ts';
import { seededRandom } from '../../services/core/random.ts';
import { experiment } from '../support/core.ts';
import { counted } from '../unit/core/policies/policies.ts';

export const PARAMETERS = validateParameters(betaTs, new Map());

/** Of a catalogue in use: some arms dealt thousands of times, some hardly ever. */
export function catalogue(size: number): PolicyInput {
  const random = seededRandom(4);
  return counted(
    Array.from({ length: size }, () => {
      const n = Math.floor(10 ** (3.3 * random.next()));
      return [n, Math.round(n * (0.02 + 0.1 * random.next()))] as const;
    }),
  );
}

export function servedArms(input: PolicyInput, { slots }: { readonly slots: number }): ServedExperiment {
  const policies = [{ kind: 'beta-ts', parameters: PARAMETERS }];
  const arms = input.armIds.map((id) => ({ id, state: 'active' as const, sinceVersion: 1, attributes: new Map() }));
  const definition = experiment({ arms, policies, fallbackArmId: arms[0]!.id, floor: 0.01, slots });
  return serve(definition, {
    experimentId: definition.id,
    experimentVersion: 1,
    version: 1,
    digest: '',
    clockMs: 0,
    offsets: [],
    arms: input.armIds.map((armId) => ({ armId, pulls: 0, n: 0, sumR: 0, sumRR: 0 })),
    holdout: null,
    policies: [{ kind: 'beta-ts', parameters: PARAMETERS, state: betaTs.prepare(input, PARAMETERS) }],
  });
}

/** @returns what decides for another user at each call, and tells the first arm's index. */
export function decisionsOf(served: ServedExperiment, { slots }: { readonly slots: number }): () => number {
  const stamp = { decisionId: 'd' as DecisionId, decidedAtMs: 0 };
  const requests = Array.from({ length: 4_096 }, (_, i) => ({
    unitId: `user-${i}` as UnitId,
    context: new Map(),
    algorithm: null,
    eligibleArmIds: null,
    slots,
  }));
  let next = 0;
  return () => decide(served, requests[next++ % requests.length]!, stamp).slots[0]!.armIndex;
}
