/** The integrals against what they are integrals of: ten million draws of numpy's, and whose was the largest. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BetaPosteriors } from '../../../../services/core/numerics/beta-posteriors.ts';
import { NormalPosteriors } from '../../../../services/core/numerics/normal-posteriors.ts';
import { NormalSelection } from '../../../../services/core/numerics/normal-selection.ts';
import type { PosteriorFamily } from '../../../../services/core/numerics/panel-walk.ts';
import { selectionProbabilities } from '../../../../services/core/numerics/selection-probabilities.ts';
import { TPosteriors } from '../../../../services/core/numerics/t-posteriors.ts';

type Numbers = Readonly<Record<'alpha' | 'beta' | 'location' | 'scale' | 'degreesOfFreedom', number>>;
interface Vectors {
  readonly draws: number;
  readonly cases: readonly {
    readonly name: string;
    readonly family: 'beta' | 'normal' | 't';
    /** So many arms with equal posteriors. */
    readonly groups: readonly (Numbers & { readonly arms: number })[];
    readonly wins: readonly number[];
  }[];
}
type Groups = Vectors['cases'][number]['groups'];

const { draws, cases }: Vectors = JSON.parse(
  readFileSync(new URL('../../../../schemas/vectors/selection-draws.json', import.meta.url), 'utf8'),
);

describe('exact selection probabilities lie within 4 standard errors of the shares of draws', () => {
  it('of ten million draws, for three families of posteriors in four shapes', () => {
    expect(draws).toBe(10_000_000);
    expect(cases).toHaveLength(12);
    for (const { groups, wins } of cases) {
      expect(wins).toHaveLength(groups.length);
      expect(wins.reduce((sum, count) => sum + count)).toBe(draws);
    }
  });

  it.each(cases)('$family, $name', ({ family, groups, wins }) => {
    expectShares(selectionProbabilities(posteriorsOf(family, groups)), groups, wins);
  });

  it.each(cases.filter(({ family }) => family === 'normal'))(
    'normal, $name, by the fast rule for requests',
    ({ groups, wins }) => {
      const location = eachArm(groups, 'location');
      const probabilities = new Float64Array(location.length);
      new NormalSelection(location.length).select(location, eachArm(groups, 'scale'), probabilities);
      expectShares(probabilities, groups, wins);
    },
  );
});

function expectShares(probabilities: Float64Array, groups: Groups, wins: readonly number[]): void {
  expect(Math.abs(probabilities.reduce((sum, p) => sum + p) - 1)).toBeLessThanOrEqual(1e-9);
  let start = 0;
  for (const [at, { arms }] of groups.entries()) {
    const p = probabilities.subarray(start, start + arms).reduce((sum, one) => sum + one);
    const error = Math.sqrt((p * (1 - p)) / draws);
    expect(Math.abs(wins[at]! / draws - p), `group ${at}`).toBeLessThanOrEqual(4 * error);
    start += arms;
  }
}

function posteriorsOf(family: Vectors['cases'][number]['family'], groups: Groups): PosteriorFamily {
  const each = (name: keyof Numbers) => eachArm(groups, name);
  switch (family) {
    case 'beta':
      return new BetaPosteriors(each('alpha'), each('beta'));
    case 'normal':
      return new NormalPosteriors(each('location'), each('scale'));
    case 't':
      return new TPosteriors(each('location'), each('scale'), each('degreesOfFreedom'));
  }
}

function eachArm(groups: Groups, name: keyof Numbers): Float64Array {
  return Float64Array.from(groups.flatMap((group) => new Array<number>(group.arms).fill(group[name])));
}
