import { describe, expect, it } from 'vitest';
import type { ArmId } from '../../../../services/core/events.ts';
import type { Experiment } from '../../../../services/core/experiment.ts';
import { warmStarted } from '../../../../services/core/experiment-change.ts';
import { MergedSums } from '../../../../services/core/learning/merge.ts';
import { type ArmCounts, priorFromCounts, priorFromExperiment } from '../../../../services/core/learning/prior.ts';
import { buildParameters } from '../../../../services/core/learning/snapshot.ts';
import { allPolicies, validateParameters } from '../../../../services/core/policies/registry.ts';
import { decision, experiment, Oracle, reward, rules } from '../../../support/core.ts';
import { rewardSpec } from '../../../support/reward-spec.ts';

/** Rewards of 5 to 25 before costs of 5 and 0. */
const REVENUE = rewardSpec({ value: 'metric.click - arm.cost', max: 20, delay: 'labelled' });
const ARMS: Experiment['arms'] = (['A', 'B'] as ArmId[]).map((id, index) => ({
  id,
  state: 'active',
  sinceVersion: 1,
  attributes: new Map([['cost', index === 0 ? 5 : 0]]),
}));
const VISITORS: Experiment['context'] = [{ kind: 'boolean', name: 'returning' }];
const OBSERVED = [
  { arm: 'A', value: 25, features: [1, 1] },
  { arm: 'A', value: 7, features: [1, 0] },
  { arm: 'A', value: 15, features: [1, 0] },
  { arm: 'B', value: 4, features: [1, 1] },
  { arm: 'B', value: 18, features: [1, 0] },
];

/** Every kind of policy that this experiment can have, but the one that learns from propensities. */
function defined(changes: Partial<Experiment> = {}): Experiment {
  const contextual = (changes.context ?? []).length > 0;
  const policies = allPolicies()
    .filter(
      (policy) => (contextual || !policy.contextual) && policy.kind !== 'exp3' && policy.kind !== 'bayesian-logistic',
    )
    .map((policy) => ({ kind: policy.kind, parameters: validateParameters(policy, new Map()) }));
  return experiment({ arms: ARMS, reward: REVENUE, policies, ...changes });
}

function learnedBy(of: Experiment): MergedSums {
  const oracle = new Oracle(rules(of));
  OBSERVED.forEach(({ arm, value, features }, i) => {
    const unit = `u${i}`;
    const encoded = of.context.length > 0 ? features : [];
    const dealt = decision({ id: `d${i}`, unit, arm, features: encoded, experimentId: of.id });
    oracle.learn({ stream: 'decisions', clockMs: dealt.decidedAtMs, decision: dealt });
    const earned = reward({ id: `r${i}`, unit, value });
    oracle.learn({ stream: 'rewards', clockMs: earned.occurredAtMs, reward: earned });
  });
  const merged = new MergedSums();
  for (const { cohort, sums } of oracle.state.sums.entries()) merged.replace(0, cohort, sums);
  return merged;
}

function countsOf(arm: string): ArmCounts {
  const values = OBSERVED.filter((one) => one.arm === arm).map(({ value }) => value);
  const sum = (of: (value: number) => number) => values.reduce((total, value) => total + of(value), 0);
  return { armId: arm, n: values.length, sumReward: sum((v) => v), sumRewardSquared: sum((v) => v * v) };
}

/** Snapshot blocks by policy, to compare. */
function blocks(of: Experiment, merged: MergedSums): Map<string, number[]> {
  const { policies } = buildParameters(of, merged);
  return new Map(
    policies.flatMap(({ kind, state }) =>
      [...state].map(([name, values]) => [`${kind} ${name}`, [...values]] as const),
    ),
  );
}

function expectAlike(warm: Map<string, number[]>, learned: Map<string, number[]>): void {
  expect([...warm.keys()]).toEqual([...learned.keys()]);
  for (const [name, values] of learned) {
    values.forEach((value, i) => {
      expect(warm.get(name)![i], name).toBeCloseTo(value, 5);
    });
  }
}

describe('a warm start', () => {
  it('from counts makes the snapshot that learning those rewards makes, for every policy of n, Σr and Σr²', () => {
    const cold = defined();
    const warm = warmStarted(cold, priorFromCounts(cold, [countsOf('A'), countsOf('B')], 1))!;
    expectAlike(blocks(warm, new MergedSums()), blocks(cold, learnedBy(cold)));
  });

  it('from another experiment takes contexts over, its range and costs mapped to ours', () => {
    const source = defined({ context: VISITORS });
    const wider = rewardSpec({ value: '2 * metric.click', min: -10, max: 80, delay: 'labelled' });
    const cold = defined({ context: VISITORS, reward: wider });
    const elsewhere = { experiment: source, sums: learnedBy(source).total() };
    const prior = priorFromExperiment(cold, elsewhere, { discount: 1, withContexts: true });
    expectAlike(blocks(warmStarted(cold, prior)!, new MergedSums()), blocks(cold, learnedBy(cold)));
  });

  it('is added to what policies see, never to statistics and digested sums', () => {
    const cold = defined();
    const warm = warmStarted(cold, priorFromCounts(cold, [countsOf('A')], 1))!;
    const merged = learnedBy(cold);
    const [before, after] = [buildParameters(cold, merged), buildParameters(warm, merged)];
    expect(after.arms).toEqual(before.arms);
    expect(after.sums).toEqual(before.sums);
    expect(after.policies).not.toEqual(before.policies);
  });

  it('adds up with what is learned, and forgetting does not touch it', () => {
    const cold = defined({ forgetting: { kind: 'window', spanMs: 1, sinceVersion: 1 } });
    const warm = warmStarted(cold, priorFromCounts(cold, [countsOf('B')], 1))!;
    const n = blocks(warm, learnedBy(cold)).get('ucb1 n')!;
    const without = blocks(cold, learnedBy(cold)).get('ucb1 n')!;
    expect(n).toEqual([without[0], without[1]! + 2]);
  });

  it('counts each observation as much as its discount says', () => {
    const cold = defined();
    const [half] = priorFromCounts(cold, [countsOf('A')], 0.5);
    const [whole] = priorFromCounts(cold, [countsOf('A')], 1);
    expect(half).toMatchObject({ n: 1.5, sumR: whole!.sumR / 2, sumRR: whole!.sumRR / 2 });
  });

  it('without squares takes rewards to vary as much as their sum allows', () => {
    const [prior] = priorFromCounts(defined(), [{ ...countsOf('B'), sumRewardSquared: null }], 1);
    expect(prior!.sumRR).toBe(prior!.sumR);
  });

  it('that knows no contexts gives contextual policies the mean of an average unit', () => {
    const cold = defined({ context: VISITORS });
    const warm = warmStarted(
      cold,
      priorFromCounts(cold, [{ ...countsOf('B'), n: 2_000, sumReward: 22_000, sumRewardSquared: 300_000 }], 1),
    )!;
    const theta = blocks(warm, new MergedSums()).get('linucb theta')!;
    expect(theta[2]).toBeCloseTo(0.55, 3);
    expect(theta[3]).toBe(0);
  });

  it.each<[string, Partial<ArmCounts>, string]>([
    ['an arm that is not there', { armId: 'C' }, 'has no arm C, it has A, B'],
    ['a negative n', { n: -1 }, 'n is -1, allowed is a number of at least 0'],
    ['an n that is no number', { n: Number.NaN }, 'n is NaN'],
    ['more reward than the range allows', { sumReward: 76 }, 'rewards add up to 76, allowed for 3 of them is 15 to 75'],
    ['less reward than the range allows', { sumReward: 14 }, 'allowed for 3 of them is 15 to 75'],
    ['rewards of NaN', { sumReward: Number.NaN }, 'rewards add up to NaN'],
    ['squares below the square of the mean', { sumRewardSquared: 100 }, 'squared rewards add up to 100'],
  ])('is refused with %s', (_, change, problem) => {
    expect(() => priorFromCounts(defined(), [{ ...countsOf('A'), ...change }], 1)).toThrow(problem);
  });

  it('is refused with an arm twice, a discount of 0, and an experiment that shares no arm', () => {
    const cold = defined();
    expect(() => priorFromCounts(cold, [countsOf('A'), countsOf('A')], 1)).toThrow('arm A stands twice');
    expect(() => priorFromCounts(cold, [countsOf('A')], 0)).toThrow('discount 0, allowed above 0 and at most 1');
    const elsewhere = { experiment: cold, sums: new Map() };
    expect(() => priorFromExperiment(cold, elsewhere, { discount: 1, withContexts: true })).toThrow('learned nothing');
  });

  it('takes the values of another experiment as they are where both have the same formula', () => {
    const capped = { value: 'min(metric.click, 12) - arm.cost', delay: 'labelled' } as const;
    const source = defined({ reward: rewardSpec({ ...capped, max: 20 }) });
    const cold = defined({ reward: rewardSpec({ ...capped, min: -10, max: 40 }) });
    const elsewhere = { experiment: source, sums: learnedBy(source).total() };
    const prior = priorFromExperiment(cold, elsewhere, { discount: 1, withContexts: false });
    expectAlike(blocks(warmStarted(cold, prior)!, new MergedSums()), blocks(cold, learnedBy(cold)));
    const otherwise = defined({ reward: rewardSpec({ delay: 'labelled', max: 40 }) });
    const refused = () => priorFromExperiment(otherwise, elsewhere, { discount: 1, withContexts: false });
    expect(refused).toThrow('its reward is min(metric.click, 12) - arm.cost; allowed is one metric');
  });

  it('is refused where rewards from elsewhere lie outside the range here', () => {
    const source = defined();
    const narrow = defined({ reward: { ...REVENUE, max: 1 } });
    const elsewhere = { experiment: source, sums: learnedBy(source).total() };
    expect(() => priorFromExperiment(narrow, elsewhere, { discount: 1, withContexts: false })).toThrow(
      'have a mean of 10.66',
    );
  });
});
