/** Speed of the core's hot paths, each against a plain reference in the same run. */
import { assert } from '../../services/core/errors.ts';
import type { ArmId, DecisionId, ExperimentId } from '../../services/core/events.ts';
import { PartitionSums } from '../../services/core/learning/sums.ts';
import { betaTs } from '../../services/core/policies/beta-ts.ts';
import { linearTs } from '../../services/core/policies/linear-ts.ts';
import { linUcb } from '../../services/core/policies/linucb.ts';
import { linUcbHybrid } from '../../services/core/policies/linucb-hybrid.ts';
import type { Policy, PolicyInput, ServingPolicy } from '../../services/core/policies/policy.ts';
import { pucb } from '../../services/core/policies/pucb.ts';
import { validateParameters } from '../../services/core/policies/registry.ts';
import { seededRandom } from '../../services/core/random.ts';
import { sumsLayout } from '../../services/core/sums/layout.ts';
import { counted, learned } from '../unit/core/policies/policies.ts';
import { type Bar, bar } from './bars.ts';
import { decisionHeapBars } from './decision-heap.ts';
import { type Body, heapBytes, median, ratio, timesOf } from './measure.ts';
import { naiveBetaSelection } from './naive-selection.ts';
import { catalogue, decisionsOf, PARAMETERS, servedArms } from './served-arms.ts';
import { slotBars } from './slots.ts';

const DIMENSION = 32;
const CONTEXTUAL_ARMS = 20;
const CONTEXTS = 64;

export function policyBars(): readonly Bar[] {
  return [
    upperBoundsBar(),
    linearSamplingBar(),
    thompsonSnapshotBar(),
    ...slotBars(),
    decisionBar(),
    sumsBar(),
    ...allocationBars(),
    ...decisionHeapBars(),
  ];
}

function upperBoundsBar(): Bar {
  const input = contextualInput();
  const parameters = validateParameters(linUcb, new Map());
  const state = linUcb.prepare(input, parameters);
  const policy = linUcb.serve(state, parameters, null);
  const theta = state.get('theta')!;
  const inverse = state.get('inverse')!;
  const contexts = randomContexts(CONTEXTS);
  const [served, bare] = timesOf(
    [
      forEachContext(contexts, (context) => policy.probabilities(context, ALL)[0]!),
      forEachContext(contexts, (context) => bareUpperBounds(theta, inverse, context)),
    ],
    { rounds: 201, calls: 100 },
  );
  return bar('LinUCB, 20 arms, d = 32, to a bare loop', ratio(served!, bare!), '×', 'at most', 1.5);
}

/** The multiply-adds of 20 upper bounds and nothing else. */
function bareUpperBounds(theta: Float64Array, inverse: Float64Array, context: Float64Array): number {
  let best = 0;
  let cell = 0;
  for (let arm = 0; arm < CONTEXTUAL_ARMS; arm++) {
    let mean = 0;
    let width = 0;
    for (let i = 0; i < DIMENSION; i++) {
      mean += theta[arm * DIMENSION + i]! * context[i]!;
      let row = 0;
      for (let j = 0; j < i; j++) row += inverse[cell++]! * context[j]!;
      width += (2 * row + inverse[cell++]! * context[i]!) * context[i]!;
    }
    best = Math.max(best, mean + Math.sqrt(width));
  }
  return best;
}

function linearSamplingBar(): Bar {
  const input = contextualInput();
  const contexts = randomContexts(CONTEXTS);
  const [sampling, bounds] = timesOf(
    [linearTs, linUcb].map((policy) => {
      const serving = served(policy, input);
      return forEachContext(contexts, (context) => serving.probabilities(context, ALL)[0]!);
    }),
    { rounds: 101, calls: 100 },
  );
  return bar('linear TS, 20 arms, d = 32, to LinUCB', ratio(sampling!, bounds!), '×', 'at most', 8);
}

function thompsonSnapshotBar(): Bar {
  const input = catalogue(4_000);
  const state = betaTs.prepare(input, PARAMETERS);
  const [alpha, beta] = [state.get('alpha')!, state.get('beta')!];
  assertAgree(state.get('probability')!, naiveBetaSelection(alpha, beta));
  const [prepared, naive] = timesOf(
    [() => betaTs.prepare(input, PARAMETERS).size, () => naiveBetaSelection(alpha, beta)[0]!],
    { rounds: 9, calls: 1 },
  );
  return bar('Beta TS snapshot, 4,000 arms, to a single grid', ratio(prepared!, naive!), '×', 'at most', 2);
}

/** A reference that computes something else would be no reference. */
function assertAgree(found: Float64Array, reference: Float64Array): void {
  found.forEach((p, arm) => {
    assert(Math.abs(p - reference[arm]!) < 1e-6, `arm ${arm}: ${p}, the single grid has ${reference[arm]}`);
  });
}

function decisionBar(): Bar {
  const served = servedArms(counted(Array.from({ length: 10 }, (_, arm) => [1_000, 50 + arm] as const)), { slots: 1 });
  const [decided, empty] = timesOf([decisionsOf(served, { slots: 1 }), () => 0], { rounds: 201, calls: 1_000 });
  const above = median(decided!.map((time, round) => time - empty![round]!)) / 1_000;
  return bar('a whole decision, 10 arms without context, above an empty function', above, 'µs', 'at most', 2);
}

function sumsBar(): Bar {
  const random = seededRandom(6);
  const decisions = Array.from({ length: CONTEXTS }, (_, i) => ({
    seq: 0,
    decisionId: `d${i}` as DecisionId,
    experimentId: 'coupon' as ExperimentId,
    slots: [{ armId: 'A' as ArmId, propensity: 0.25 }],
    heldOut: false,
    features: Array.from({ length: DIMENSION }, () => Math.round((random.next() - 0.5) * 2 ** 20)),
    decidedAtMs: 0,
    clockMs: 0,
  }));
  const after = { rewardUnits: 700_000, firstDelayMs: null, clipped: false };
  const sums = new PartitionSums();
  let next = 0;
  const plain = new Float64Array(sumsLayout(DIMENSION).size);
  const vectors = decisions.map(({ features }) => Float64Array.from(features));
  const [exact, unguarded] = timesOf(
    [
      () => {
        const decision = decisions[next++ % CONTEXTS]!;
        sums.apply({
          line: decision.experimentId,
          decision,
          slot: decision.slots[0]!,
          cohort: 0,
          delays: null,
          counted: null,
          before: null,
          after,
        });
        return 0;
      },
      forEachContext(vectors, (x) => addPlainly(plain, x, after.rewardUnits)),
    ],
    { rounds: 201, calls: 1_000 },
  );
  const share = ratio(unguarded!, exact!);
  return bar('exact sums, d = 32, share of the throughput of plain ones', share, '', 'at least', 0.6);
}

/** A rank-1 update with nothing against rounding, nor a lookup of whose it is. */
function addPlainly(cells: Float64Array, x: Float64Array, reward: number): number {
  cells[0]! += 1;
  cells[1]! += reward;
  let cell = 2;
  for (let i = 0; i < x.length; i++) cells[cell++]! += reward * x[i]!;
  for (let i = 0; i < x.length; i++) {
    const xi = x[i]!;
    for (let j = 0; j <= i; j++) cells[cell++]! += xi * x[j]!;
  }
  return cells[0]!;
}

function allocationBars(): readonly Bar[] {
  const input = contextualInput();
  const [context] = randomContexts(1);
  const indicators = Float64Array.from(context!, (x, i) => (i === 0 || x > 0 ? 1 : 0));
  const rewards = counted(Array.from({ length: CONTEXTUAL_ARMS }, (_, arm) => [100, arm + 1] as const));
  const shown = learned(CONTEXTUAL_ARMS, DIMENSION, [{ arm: 3, reward: 1, context: [...indicators] }]);
  const paths: readonly (readonly [Policy, PolicyInput, Float64Array])[] = [
    [betaTs, rewards, new Float64Array(0)],
    [linUcb, input, context!],
    [linUcbHybrid, input, context!],
    [linearTs, input, context!],
    [pucb, shown, indicators],
  ];
  const rounds = { rounds: 31, calls: 500 };
  const answer = heapBytes(() => new Float64Array(CONTEXTUAL_ARMS).length, rounds);
  return paths.map(([policy, known, x]) => {
    const serving = served(policy, known);
    const bytes = heapBytes(() => serving.probabilities(x, ALL).length, rounds) - answer;
    return bar(`${policy.kind}: heap of a call beyond its answer`, bytes, 'bytes', 'at most', 1);
  });
}

const ALL = Array.from({ length: CONTEXTUAL_ARMS }, (_, arm) => arm);

function served(policy: Policy, input: PolicyInput): ServingPolicy {
  const parameters = validateParameters(policy, new Map());
  return policy.serve(policy.prepare(input, parameters), parameters, null);
}

function contextualInput(): PolicyInput {
  const random = seededRandom(7);
  const contexts = randomContexts(2_000);
  return learned(
    CONTEXTUAL_ARMS,
    DIMENSION,
    contexts.map((context, i) => ({ arm: i % CONTEXTUAL_ARMS, reward: random.next(), context: [...context] })),
  );
}

/** Dense, as standardised numbers are: one-hot contexts are cheaper. */
function randomContexts(count: number): readonly Float64Array[] {
  const random = seededRandom(8);
  return Array.from({ length: count }, () =>
    Float64Array.from({ length: DIMENSION }, (_, i) => (i === 0 ? 1 : random.normal())),
  );
}

function forEachContext(contexts: readonly Float64Array[], measured: (context: Float64Array) => number): Body {
  let next = 0;
  return () => measured(contexts[next++ % contexts.length]!);
}
