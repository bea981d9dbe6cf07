/** As selection-draws.test.ts, for 4,000 arms of which no two are alike, by fewer draws. */
import { describe, expect, it } from 'vitest';
import { BetaPosteriors } from '../../../../services/core/numerics/beta-posteriors.ts';
import { NormalPosteriors } from '../../../../services/core/numerics/normal-posteriors.ts';
import type { PosteriorFamily } from '../../../../services/core/numerics/panel-walk.ts';
import { SelectionGrid } from '../../../../services/core/numerics/selection-grid.ts';
import { selectionProbabilities } from '../../../../services/core/numerics/selection-probabilities.ts';
import { TPosteriors } from '../../../../services/core/numerics/t-posteriors.ts';
import { type Random, seededRandom } from '../../../../services/core/random.ts';

/** Draws from the arm's posterior. */
type Draw = (arm: number, random: Random) => number;

interface Posteriors {
  readonly family: PosteriorFamily;
  readonly draw: Draw;
}

describe('exact selection probabilities lie within 4 standard errors of the shares of draws', () => {
  it.each<[string, Posteriors]>([
    ['Beta', betas(spread(1, 40), spread(50, 90))],
    ['normal', normals(spread(0.4, 0.5), spread(0.01, 0.05))],
    ["Student's t", students(spread(0.4, 0.5), spread(0.01, 0.05), spread(2, 2))],
  ])(
    '4,000 %s posteriors, by groups of 200 arms',
    (_name, posteriors) => {
      const draws = 1_000;
      const probabilities = selectionProbabilities(posteriors.family);
      const wins = winsOf(posteriors, draws, 42);
      for (let from = 0; from < 4000; from += 200) {
        const group = <T extends Float64Array>(values: T) =>
          values.subarray(from, from + 200).reduce((a, b) => a + b, 0);
        expectShare(group(wins), draws, group(probabilities));
      }
    },
    60_000,
  );
});

it('the two arms of a list are dealt as often as one after the other is drawn, the first left out', () => {
  const { family, draw } = betas([3, 5, 2, 9], [20, 30, 10, 50]);
  const arms = [0, 1, 2, 3];
  const draws = 3e5;
  const random = seededRandom(43);
  const dealt = new Float64Array(16);
  for (let i = 0; i < draws; i++) {
    const first = winner(arms, draw, random);
    const second = winner(
      arms.filter((arm) => arm !== first),
      draw,
      random,
    );
    dealt[4 * first + second]! += 1;
  }
  const first = selectionProbabilities(family);
  const grid = new SelectionGrid(family);
  for (const arm of arms) {
    const second = grid.without([arm])!;
    for (const other of arms) expectShare(dealt[4 * arm + other]!, draws, first[arm]! * second[other]!);
  }
});

function winner(arms: readonly number[], draw: Draw, random: Random): number {
  const values = arms.map((arm) => draw(arm, random));
  return arms[values.indexOf(Math.max(...values))]!;
}

function expectShare(wins: number, draws: number, p: number): void {
  expect(Math.abs(wins / draws - p)).toBeLessThanOrEqual(4 * Math.sqrt((p * (1 - p)) / draws));
}

function winsOf({ family, draw }: Posteriors, draws: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  const wins = new Float64Array(family.size);
  for (let i = 0; i < draws; i++) {
    let winner = 0;
    let largest = Number.NEGATIVE_INFINITY;
    for (let arm = 0; arm < family.size; arm++) {
      const value = draw(arm, random);
      if (value > largest) {
        largest = value;
        winner = arm;
      }
    }
    wins[winner]! += 1;
  }
  return wins;
}

function betas(alpha: readonly number[], beta: readonly number[]): Posteriors {
  return {
    family: new BetaPosteriors(Float64Array.from(alpha), Float64Array.from(beta)),
    draw(arm, random) {
      const x = gamma(alpha[arm]!, random);
      return x / (x + gamma(beta[arm]!, random));
    },
  };
}

function normals(location: readonly number[], scale: readonly number[]): Posteriors {
  return {
    family: new NormalPosteriors(Float64Array.from(location), Float64Array.from(scale)),
    draw: (arm, random) => location[arm]! + scale[arm]! * random.normal(),
  };
}

/** @param freedom even: half of χ² is then −ln of a product of ν/2 uniform numbers. */
function students(location: readonly number[], scale: readonly number[], freedom: readonly number[]): Posteriors {
  return {
    family: new TPosteriors(Float64Array.from(location), Float64Array.from(scale), Float64Array.from(freedom)),
    draw(arm, random) {
      const pairs = freedom[arm]! / 2;
      let product = 1;
      for (let i = 0; i < pairs; i++) product *= 1 - random.next();
      return location[arm]! + scale[arm]! * random.normal() * Math.sqrt(pairs / -Math.log(product));
    },
  };
}

/** Gamma with this shape and scale 1: Marsaglia & Tsang 2000. */
function gamma(shape: number, random: Random): number {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random.next()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random.next()) < x * x * 0.5 + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** 4,000 values from the first to the last, in an order that mixes them. */
function spread(first: number, last: number): number[] {
  return Array.from({ length: 4000 }, (_, i) => first + ((last - first) * ((i * 1009) % 4000)) / 3999);
}
