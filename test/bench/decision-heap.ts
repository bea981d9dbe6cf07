/** What a whole decision leaves on the heap beyond its answer: an answer of the same shape, made of nothing but itself. */
import { type DecideRequest, type DecisionOutcome, decide } from '../../services/core/deciding/decide.ts';
import { type ServedExperiment, serve } from '../../services/core/deciding/served.ts';
import type { ArmId, DecisionId, UnitId } from '../../services/core/events.ts';
import type { Experiment } from '../../services/core/experiment.ts';
import { MergedSums } from '../../services/core/learning/merge.ts';
import { buildParameters } from '../../services/core/learning/snapshot.ts';
import { freshCopy } from '../../services/core/policies/fresh-vector.ts';
import { findPolicy, validateParameters } from '../../services/core/policies/registry.ts';
import { experiment } from '../support/core.ts';
import { type Bar, bar } from './bars.ts';
import { heapBytes } from './measure.ts';

const ARMS = 10;
const UNITS = 1_024;
const STAMP = { decisionId: 'd' as DecisionId, decidedAtMs: 1_767_225_600_000 };
const VISITOR: Experiment['context'] = [
  { kind: 'boolean', name: 'returning' },
  { kind: 'number', name: 'age', mean: 40, scale: 10 },
  { kind: 'category', name: 'region', values: ['CN', 'US', 'SEA'] },
];

/**
 * Six numbers that V8 boxes on their way from one function to another: which it does depends on what else has run. The
 * vector of ten arms would be above it.
 */
const BYTES_MAX = 96;

export function decisionHeapBars(): readonly Bar[] {
  const cases = [
    ['beta-ts', []],
    ['linucb', VISITOR],
  ] as const;
  return cases.map(([kind, context]) => {
    const served = servedBy(kind, context);
    const requests = requestsOf(context.length > 0);
    const outcomes = requests.map((request) => decide(served, request, STAMP));
    const bytes = heapOf((at) => decide(served, requests[at]!, STAMP)) - heapOf((at) => answerLike(outcomes[at]!));
    return bar(`${kind}: heap of a whole decision beyond its answer`, bytes, 'bytes', 'at most', BYTES_MAX);
  });
}

function heapOf(make: (at: number) => DecisionOutcome): number {
  let next = 0;
  return heapBytes(() => make(next++ % UNITS).slots[0]!.armIndex, { rounds: 31, calls: 1_000 });
}

/** The objects of an answer and nothing else; the arms drawn from are the decider's own list. */
function answerLike({ decision, slots, clipped }: DecisionOutcome): DecisionOutcome {
  const { armIndex, propensity, eligible, probabilities, draw } = slots[0]!;
  return {
    decision: {
      decisionId: decision.decisionId,
      experimentId: decision.experimentId,
      experimentVersion: decision.experimentVersion,
      unitId: decision.unitId,
      slots: [{ armId: decision.slots[0]!.armId, propensity: decision.slots[0]!.propensity }],
      reason: decision.reason,
      policy: decision.policy,
      snapshotVersion: decision.snapshotVersion,
      pendingExposures: decision.pendingExposures,
      features: decision.features.slice(),
      decidedAtMs: decision.decidedAtMs,
    },
    slots: [{ armIndex, propensity, eligible, probabilities: freshCopy(probabilities), draw }],
    clipped,
  };
}

function servedBy(kind: string, context: Experiment['context']): ServedExperiment {
  const arms = Array.from({ length: ARMS }, (_, arm) => ({
    id: `arm-${arm}` as ArmId,
    state: 'active' as const,
    sinceVersion: 1,
    attributes: new Map(),
  }));
  const policies = [{ kind, parameters: validateParameters(findPolicy(kind), new Map()) }];
  const definition = experiment({ arms, policies, context, fallbackArmId: arms[0]!.id, floor: 0.01 });
  return serve(definition, {
    experimentId: definition.id,
    experimentVersion: 1,
    version: 1,
    digest: '',
    offsets: [],
    ...buildParameters(definition, new MergedSums()),
  });
}

function requestsOf(withContext: boolean): readonly DecideRequest[] {
  return Array.from({ length: UNITS }, (_, i) => ({
    unitId: `user-${i}` as UnitId,
    context: new Map<string, boolean | number | string>(
      withContext
        ? [
            ['returning', i % 2 === 0],
            ['age', 20 + (i % 50)],
            ['region', ['CN', 'US', 'SEA'][i % 3]!],
          ]
        : [],
    ),
    algorithm: null,
    eligibleArmIds: null,
    slots: 1,
  }));
}
