import { expect, test } from 'vitest';
import { encodeContext } from '../../../../services/core/deciding/encode-context.ts';
import type { ArmId, InputEvent } from '../../../../services/core/events.ts';
import type { Experiment, Feature } from '../../../../services/core/experiment.ts';
import { MergedSums } from '../../../../services/core/learning/merge.ts';
import { buildParameters } from '../../../../services/core/learning/snapshot.ts';
import { seededRandom } from '../../../../services/core/random.ts';
import { decision, experiment, Oracle, reward, rules, T0 } from '../../../support/core.ts';
import { allContexts } from '../../../support/definition.ts';

const CONTEXT: readonly Feature[] = [
  { kind: 'category', name: 'country', values: ['BR', 'DE'] },
  { kind: 'boolean', name: 'returning' },
];
const SHARED: Partial<Experiment> = {
  arms: ['A', 'B', 'C'].map((id) => ({ id: id as ArmId, state: 'active', sinceVersion: 1, attributes: new Map() })),
  context: CONTEXT,
  policies: ['linucb', 'linear-ts', 'pucb', 'beta-ts'].map((kind) => ({
    kind,
    parameters: new Map([
      ['alpha', 1],
      ['lambda', 1],
      ['v', 1],
      ['prior', 1],
      ['priorAlpha', 1],
      ['priorBeta', 1],
    ]),
  })),
};
const LAYOUT = { aspects: [{ name: 'button', variants: ['A', 'B', 'C'] }], crosses: [] };

function events(): InputEvent[] {
  const random = seededRandom(11);
  const encoded = allContexts(CONTEXT).map((values) => [...encodeContext(CONTEXT, values).features]);
  const among = <T>(all: readonly T[]): T => all[Math.floor(random.next() * all.length)]!;
  return Array.from({ length: 300 }, (_, i): InputEvent[] => {
    const [clockMs, unit, id] = [T0 + 2 * i, `u${i}`, `d${i}`];
    const dealt = decision({ id, unit, arm: among(['A', 'B', 'C']), features: among(encoded), atMs: clockMs });
    const own = reward({ id: `r${i}`, unit, atMs: clockMs + 1, value: 4 * random.next() });
    return [
      { stream: 'decisions', clockMs, decision: dealt },
      ...(random.next() < 0.6 ? [{ stream: 'rewards' as const, clockMs: clockMs + 1, reward: own }] : []),
    ];
  }).flat();
}

function built(changes: Partial<Experiment>) {
  const defined = experiment({ ...SHARED, ...changes });
  const oracle = new Oracle(rules(defined));
  for (const event of events()) oracle.learn(event);
  const merged = new MergedSums();
  for (const { cohort, sums } of oracle.state.sums.entries()) merged.replace(0, cohort, sums);
  return buildParameters(defined, merged);
}

test('policies learn the same, to the bit, from counts by pattern as from the sums that follow from them', () => {
  const named = built({ layout: null });
  const counted = built({ layout: LAYOUT });
  expect(counted.policies).toEqual(named.policies);
  expect(counted.arms).toEqual(named.arms);
  expect(named.arms.reduce((sum, { n }) => sum + n, 0)).toBe(300);
});

test('and nearly the same where older cohorts count less', () => {
  const forgetting = { kind: 'half-life', spanMs: 200, sinceVersion: 1 } as const;
  const [named, counted] = [built({ layout: null, forgetting }), built({ layout: LAYOUT, forgetting })];
  for (const [at, { state }] of named.policies.entries()) {
    for (const [name, values] of state) {
      const found = counted.policies[at]!.state.get(name)!;
      for (const [i, value] of values.entries()) expect(found[i]).toBeCloseTo(value, 9);
    }
  }
});
