import { describe, expect, it } from 'vitest';
import { Corrupt, Invalid } from '../../../../services/core/errors.ts';
import { pucb } from '../../../../services/core/policies/pucb.ts';
import { VECTOR_START } from '../../../../services/core/sums/layout.ts';
import { learned, type Observation, served } from './policies.ts';

/** Intercept, then one-hot of two regions and a flag. */
const CN = [1, 1, 0, 0];
const US_FLAGGED = [1, 0, 1, 1];

const SEEN: readonly Observation[] = [
  ...times(6, { arm: 0, reward: 1, context: CN }),
  ...times(4, { arm: 0, reward: 0, context: US_FLAGGED }),
  ...times(5, { arm: 1, reward: 0, context: CN }),
  ...times(5, { arm: 1, reward: 1, context: US_FLAGGED }),
];

describe('PUCB', () => {
  it("is the mean of the bounds of the unit's cells", () => {
    const policy = served(pucb, learned(2, 4, SEEN), { alpha: 0.5, prior: 0.25 });
    const bound = (rewards: number, n: number, of: number) =>
      rewards / (n + 0.25) + 0.5 * Math.sqrt((2 * Math.log(of)) / (n + 0.25));
    const scores = policy.scores(Float64Array.from(US_FLAGGED), [0, 1]);
    expect(scores[0]).toBeCloseTo((bound(6, 10, 20) + 2 * bound(0, 4, 9)) / 3, 14);
    expect(scores[1]).toBeCloseTo((bound(5, 10, 20) + 2 * bound(5, 5, 9)) / 3, 14);
  });

  it('deals each portrait its own best arm', () => {
    const policy = served(pucb, learned(2, 4, SEEN), { alpha: 0.1 });
    expect([...policy.probabilities(Float64Array.from(CN), [0, 1])]).toEqual([1, 0]);
    expect([...policy.probabilities(Float64Array.from(US_FLAGGED), [0, 1])]).toEqual([0, 1]);
    expect([...policy.probabilities(Float64Array.from(US_FLAGGED), [0])]).toEqual([1]);
  });

  it('deals an arm that a portrait has not seen before any other, and shares when nothing is known', () => {
    const policy = served(pucb, learned(3, 4, SEEN));
    expect([...policy.probabilities(Float64Array.from(CN), [0, 1, 2])]).toEqual([0, 0, 1]);
    const fresh = served(pucb, learned(3, 4, []));
    for (const p of fresh.probabilities(Float64Array.from(CN), [0, 1, 2])) expect(p).toBeCloseTo(1 / 3, 15);
  });

  it('knows a unit of unknown values by the intercept alone', () => {
    const policy = served(pucb, learned(2, 4, SEEN), { alpha: 0, prior: 1e-6 });
    expect(policy.scores(Float64Array.of(1, 0, 0, 0), [0])[0]).toBeCloseTo(0.6, 6);
  });

  it('names what is wrong with its input', () => {
    expect(() => served(pucb, learned(2, 0, []))).toThrow(Invalid);
    expect(() => served(pucb, learned(0, 2, []))).toThrow('there is no arm');
    const numeric = learned(2, 2, [{ arm: 1, reward: 1, context: [1, 0.5] }]);
    expect(() => served(pucb, numeric)).toThrow(/number 1 of the context of arm arm-2 has Σx = 0.5 and Σx² = 0.25/);
    const input = learned(2, 4, SEEN);
    expect(() => served(pucb, input).scores(new Float64Array(3), [0])).toThrow(
      'context has 3 numbers, the snapshot has 4',
    );
    input.sums[1]![VECTOR_START + 2] = 5.5;
    expect(() => served(pucb, input)).toThrow(Corrupt);
    expect(() => served(pucb, input)).toThrow('arm arm-2: number 2 of the context has 5 exposures and rewards of 5.5');
  });
});

function times(count: number, observation: Observation): Observation[] {
  return Array.from({ length: count }, () => observation);
}
