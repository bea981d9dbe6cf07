import { describe, expect, it } from 'vitest';
import { BetaPosteriors } from '../../../../services/core/numerics/beta-posteriors.ts';
import type { PosteriorFamily } from '../../../../services/core/numerics/panel-walk.ts';
import { SelectionGrid } from '../../../../services/core/numerics/selection-grid.ts';
import { selectionProbabilities } from '../../../../services/core/numerics/selection-probabilities.ts';
import { TPosteriors } from '../../../../services/core/numerics/t-posteriors.ts';
import { seededRandom } from '../../../../services/core/random.ts';

type Make = (arms: readonly number[]) => PosteriorFamily;

/** Of a catalogue in use: some arms dealt thousands of times, some hardly ever. */
function betas(size: number): Make {
  const random = seededRandom(8);
  const arms = Array.from({ length: size }, () => {
    const n = Math.floor(10 ** (3.3 * random.next()));
    const rewards = Math.round(n * (0.02 + 0.1 * random.next()));
    return { alpha: 1 + rewards, beta: 1 + n - rewards };
  });
  return (kept) =>
    new BetaPosteriors(
      Float64Array.from(kept, (arm) => arms[arm]!.alpha),
      Float64Array.from(kept, (arm) => arms[arm]!.beta),
    );
}

function students(size: number): Make {
  const random = seededRandom(9);
  const arms = Array.from({ length: size }, () => {
    const n = Math.floor(10 ** (3.3 * random.next()));
    return { mean: 0.3 + 0.2 * random.next(), scale: 0.3 / Math.sqrt(1 + n), freedom: 2 + n };
  });
  return (kept) =>
    new TPosteriors(
      Float64Array.from(kept, (arm) => arms[arm]!.mean),
      Float64Array.from(kept, (arm) => arms[arm]!.scale),
      Float64Array.from(kept, (arm) => arms[arm]!.freedom),
    );
}

/** Ever better and ever narrower: each hides all that is worse. */
const LADDER: Make = (kept) =>
  new BetaPosteriors(
    Float64Array.from(kept, (arm) => 1e4 * (arm + 1)),
    Float64Array.from(kept, (arm) => 1e4 * (60 - arm)),
  );

describe('selection probabilities of all but a few arms', () => {
  it.each<[string, Make, number]>([
    ['Beta, 4,000 arms', betas(4_000), 4_000],
    ["Student's t, 1,000 arms", students(1_000), 1_000],
    ['a ladder of narrow arms', LADDER, 60],
  ])(
    'are those of the others by themselves: %s',
    (_name, make, size) => {
      const all = Array.from({ length: size }, (_, arm) => arm);
      const grid = new SelectionGrid(make(all));
      const whole = selectionProbabilities(make(all));
      expect(maxDifference(grid.without([])!, whole, all)).toBe(0);
      const best = [...all].sort((a, b) => whole[b]! - whole[a]! || b - a);
      for (const leftOut of [[best[0]!], [best[0]!, 17], best.slice(0, 5), best.slice(0, 50)]) {
        const kept = all.filter((arm) => !leftOut.includes(arm));
        const found = grid.without([...leftOut].sort((a, b) => a - b))!;
        expect(maxDifference(found, selectionProbabilities(make(kept)), kept)).toBeLessThanOrEqual(1e-11);
        for (const arm of leftOut) expect(found[arm]).toBe(0);
      }
    },
    60_000,
  );

  it('do not depend on what was asked before, to the bit', () => {
    const all = Array.from({ length: 60 }, (_, arm) => arm);
    const fresh = new SelectionGrid(LADDER(all)).without([59]);
    const used = new SelectionGrid(LADDER(all));
    used.without(Array.from({ length: 50 }, (_, i) => i + 10));
    expect(used.without([59])).toEqual(fresh);
  });

  it('are given up beyond a limit of memory, and only then', () => {
    const all = Array.from({ length: 60 }, (_, arm) => arm);
    const grid = new SelectionGrid(LADDER(all), 20_000);
    expect(grid.without([3])).not.toBeNull();
    const lots = Array.from({ length: 50 }, (_, i) => i + 10);
    expect(grid.without(lots)).toBeNull();
    expect(grid.size).toBeLessThan(20_000 + 2 * 16 * all.length);
    expect(grid.without([3])).not.toBeNull();
  });
});

function maxDifference(found: Float64Array, expected: Float64Array, arms: readonly number[]): number {
  return arms.reduce((most, arm, i) => Math.max(most, Math.abs(found[arm]! - expected[i]!)), 0);
}
