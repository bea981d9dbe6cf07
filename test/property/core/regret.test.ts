/**
 * Regret on arms that never change, every reward at once: like ln T for policies that learn, like T for those that go on
 * exploring. Bands are 4 standard errors over 50 seeds.
 */
import { describe, expect, it } from 'vitest';
import { sample } from '../../../services/core/deciding/decide.ts';
import type { Policy } from '../../../services/core/policies/policy.ts';
import { findPolicy, validateParameters } from '../../../services/core/policies/registry.ts';
import { type Random, seededRandom } from '../../../services/core/random.ts';
import { N, PULLS, SUM_R, SUM_R_OVER_P, SUM_RR } from '../../../services/core/sums/layout.ts';
import { learned, NO_CONTEXT } from '../../unit/core/policies/policies.ts';

const MEANS = [0.9, 0.6, 0.5];
const GAPS = MEANS.map((mean) => 0.9 - mean);
const HORIZONS = [256, 2048, 16_384] as const;
const SEEDS = 50;

interface Band {
  readonly low: number;
  readonly mean: number;
  readonly high: number;
}

/** `refresh`: a snapshot whenever that many times as many decisions were made; 1 for one after every decision. */
const LEARNING = [
  { kind: 'ucb1', refresh: 1 },
  { kind: 'beta-ts', refresh: 1.05 },
  { kind: 'gaussian-ts', refresh: 1.05 },
] as const;

describe('regret on stationary arms', () => {
  it.each(LEARNING)(
    'grows like ln T: $kind',
    ({ kind, refresh }) => {
      const runs = regretOf(findPolicy(kind), refresh);
      const slope = band(runs.map((regret) => (regret[2] - regret[1]) / Math.log(HORIZONS[2] / HORIZONS[1])));
      // Growth like √T from the second horizon on would give this slope or a greater one.
      const rootSlope = (band(runs.map((regret) => regret[1])).low * (Math.sqrt(8) - 1)) / Math.log(8);
      expect(slope.high).toBeLessThan(rootSlope);
      // Lai & Robbins 1985: no policy that is good on all arms has a smaller slope in the end; half of it allows for the end.
      expect(slope.low).toBeGreaterThan(laiRobbins() / 2);
    },
    60_000,
  );

  it('of Thompson sampling has about the least slope there can be', () => {
    const runs = regretOf(findPolicy('beta-ts'), 1.05);
    const slope = band(runs.map((regret) => (regret[2] - regret[0]) / Math.log(HORIZONS[2] / HORIZONS[0])));
    expect(slope.high).toBeLessThan(2 * laiRobbins());
  }, 60_000);

  it('of UCB1 stays below the bound of Auer, Cesa-Bianchi & Fischer, theorem 1', () => {
    const runs = regretOf(findPolicy('ucb1'), 1);
    for (const [i, horizon] of HORIZONS.entries()) {
      const rare = GAPS.filter((gap) => gap > 0).reduce((sum, gap) => sum + (8 * Math.log(horizon)) / gap, 0);
      const early = (1 + Math.PI ** 2 / 3) * GAPS.reduce((a, b) => a + b);
      expect(band(runs.map((regret) => regret[i]!)).high).toBeLessThan(rare + early);
    }
  }, 60_000);

  it('of dealing at random is the mean gap, decision after decision', () => {
    const runs = regretOf(findPolicy('fixed-split'), 2);
    const gap = GAPS.reduce((a, b) => a + b) / GAPS.length;
    for (const [i, horizon] of HORIZONS.entries()) {
      const { low, high } = band(runs.map((regret) => regret[i]! / horizon));
      expect(low).toBeLessThan(gap);
      expect(high).toBeGreaterThan(gap);
      expect(high / low).toBeLessThan(1.2);
    }
  });

  it('of ε-greedy goes on growing by ε times the mean gap', () => {
    const runs = regretOf(findPolicy('epsilon-greedy'), 1.02);
    const late = band(runs.map((regret) => (regret[2] - regret[1]) / (HORIZONS[2] - HORIZONS[1])));
    const gap = (0.1 * GAPS.reduce((a, b) => a + b)) / GAPS.length;
    expect(late.low).toBeLessThan(gap);
    expect(late.high).toBeGreaterThan(gap);
  });
});

type Regret = readonly [number, number, number];

/** By kind: two tests look at the same runs. */
const runsByKind = new Map<string, readonly Regret[]>();

function regretOf(policy: Policy, refresh: number): readonly Regret[] {
  const known = runsByKind.get(policy.kind);
  if (known !== undefined) return known;
  const runs = Array.from({ length: SEEDS }, (_, seed) => regretOnce(policy, refresh, seededRandom(seed)));
  runsByKind.set(policy.kind, runs);
  return runs;
}

/** @returns Σ of the gaps of the arms dealt, at each horizon. */
function regretOnce(policy: Policy, refresh: number, random: Random): Regret {
  const parameters = validateParameters(policy, new Map());
  const input = learned(MEANS.length, 0, []);
  const eligible = [...MEANS.keys()];
  const regret: number[] = [];
  let probabilities = new Float64Array();
  let total = 0;
  let next = 0;
  for (let t = 0; t < HORIZONS[2]; t++) {
    if (t >= next) {
      const serving = policy.serve(policy.prepare(input, parameters), parameters, null);
      probabilities = Float64Array.from(serving.probabilities(NO_CONTEXT, eligible));
      next = Math.max(t + 1, Math.floor(t * refresh));
    }
    const arm = sample(probabilities, random.next());
    learn(input.sums[arm]!, random.next() < MEANS[arm]! ? 1 : 0, probabilities[arm]!);
    total += GAPS[arm]!;
    if (HORIZONS.some((horizon) => horizon === t + 1)) regret.push(total);
  }
  return regret as unknown as Regret;
}

function learn(cells: Float64Array, reward: number, propensity: number): void {
  cells[PULLS]! += 1;
  cells[N]! += 1;
  cells[SUM_R]! += reward;
  cells[SUM_RR]! += reward * reward;
  cells[SUM_R_OVER_P]! += reward / propensity;
}

/** Σ gap / KL(mean, best mean) of Bernoulli rewards. */
function laiRobbins(): number {
  const divergence = (p: number, q: number) => p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
  return MEANS.slice(1).reduce((sum, mean) => sum + (0.9 - mean) / divergence(mean, 0.9), 0);
}

function band(values: readonly number[]): Band {
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const reach = 4 * Math.sqrt(variance / values.length);
  return { low: mean - reach, mean, high: mean + reach };
}
