/** What-ifs on logs whose truth is known: simulated ones, and real ones in which the candidate was played too. */
import { describe, expect, it } from 'vitest';
import { readOpenBandit } from '../../deploy/demo/open-bandit.ts';
import type { OffPolicyResult } from '../../services/core/evaluation/off-policy.ts';
import type { ArmId } from '../../services/core/events.ts';
import type { Experiment, PolicySpec } from '../../services/core/experiment.ts';
import { candidateDefinition } from '../../services/core/experiment-change.ts';
import { findPolicy } from '../../services/core/policies/registry.ts';
import { type Random, seededRandom } from '../../services/core/random.ts';
import { readExperiments } from '../../services/platform/experiments-view.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { spanOf } from '../../services/replay/span.ts';
import { type WhatIf, whatIf } from '../../services/replay/what-if.ts';
import { decision, experiment, reward, T0 } from '../support/core.ts';
import { rewardSpec } from '../support/reward-spec.ts';
import { sendTraffic, trafficWorld } from '../support/traffic.ts';
import { World } from '../support/world.ts';

const LOGGED = [0.5, 0.3, 0.2];
const NAMES = ['a', 'b', 'c'];

function spec(kind: string, given: Readonly<Record<string, number>> = {}): PolicySpec {
  const parameters = findPolicy(kind).parameters.map(
    ({ name, default: value }) => [name, given[name] ?? value] as const,
  );
  return { kind, parameters: new Map(parameters) };
}

function arms(shares: readonly number[], names: readonly string[] = NAMES): Experiment['arms'] {
  return names.map((id, i) => ({
    id: id as ArmId,
    state: 'active',
    sinceVersion: 1,
    attributes: new Map([['share', shares[i]!]]),
  }));
}

const LIVE = experiment({
  arms: arms(LOGGED),
  policies: [spec('fixed-split')],
  fallbackArmId: 'a' as ArmId,
  reward: rewardSpec({ metrics: { click: { fold: 'sum' } }, min: 0, max: 2 }),
});

/** Deals by the shares of LIVE, or as given, to units of up to three decisions each; a click is worth 1, of a range to 2. */
async function send(
  world: World,
  random: Random,
  decisions: number,
  rates: readonly number[],
  { names, shares } = { names: NAMES, shares: LOGGED },
): Promise<void> {
  for (let i = 0; i < decisions; i++) {
    const arm = pick(random, shares);
    const unit = `u${Math.floor(random.next() * decisions)}`;
    const slots = [{ armId: names[arm] as ArmId, propensity: shares[arm]! }];
    world.clock.nowMs = T0 + i;
    await world.send({ decision: decision({ id: `d${i}`, unit, slots, atMs: T0 + i }) });
    if (random.next() >= rates[arm]!) continue;
    await world.send({ reward: reward({ id: `r${i}`, unit, decision: `d${i}`, value: 1, atMs: T0 + i + 1 }) });
  }
}

function pick(random: Random, shares: readonly number[]): number {
  const draw = random.next();
  return shares.findIndex((_, arm) => draw < shares.slice(0, arm + 1).reduce((a, b) => a + b));
}

async function ask(
  world: World,
  live: Experiment,
  wanted: Experiment,
  options: Partial<Parameters<typeof whatIf>[0]> = {},
) {
  return whatIf({
    ...{ log: world.log, topics: world.topics, codecs: world.codecs, limits: world.limits, pollRecordsMax: 1_000 },
    span: await spanOf(world.log, world.topics, { from: null, to: null }),
    ...{
      experiments: new Map([[live.id, live]]),
      live,
      candidate: candidateDefinition(live, wanted),
      judgeBy: 'live',
      parts: 10,
      matureMs: 0,
      share: 1,
    },
    openStore: async () => new MemoryStore(),
    onRecords: () => {},
    ...options,
  });
}

const resultOf = ({ sides }: WhatIf, name: string): OffPolicyResult => sides.find((side) => side.name === name)!.result;

/** 95 % of so many, less four standard errors. */
function leastCovered(rounds: number): number {
  return 0.95 * rounds - 4 * Math.sqrt(rounds * 0.95 * 0.05);
}

describe('a what-if', () => {
  it('covers what the candidate is worth as often as its intervals promise', async () => {
    const rates = [0.2, 0.5, 0.4];
    const shares = [0.2, 0.3, 0.5];
    const value = shares.reduce((sum, share, i) => sum + share * rates[i]!, 0);
    const logged = LOGGED.reduce((sum, share, i) => sum + share * rates[i]!, 0);
    const rounds = 60;
    const wanted = { ...LIVE, arms: arms(shares) };
    const truth = { ips: value, snips: value, dr: value, gain: value - logged };
    const covered = { ips: 0, snips: 0, dr: 0, gain: 0 };
    for (let round = 0; round < rounds; round++) {
      const world = await World.create({ partitions: 2 });
      await world.define(LIVE);
      await send(world, seededRandom(round), 1_000, rates);
      const result = resultOf(await ask(world, LIVE, wanted), 'candidate');
      await world.log.close();
      if (result.status === 'refused') throw new Error(result.reason);
      for (const kind of ['ips', 'snips', 'dr', 'gain'] as const) {
        const { low, high } = result[kind].interval;
        if (low <= truth[kind] && truth[kind] <= high) covered[kind] += 1;
      }
    }
    for (const count of Object.values(covered)) expect(count).toBeGreaterThan(leastCovered(rounds));
  });

  it('finds nothing where there is nothing to find: no reward is judged by what it has taught', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const shares = names.map(() => 0.2);
    const live = { ...LIVE, arms: arms(shares, names) };
    const wanted = { ...live, policies: [spec('epsilon-greedy', { epsilon: 0.2 })] };
    const rounds = 60;
    let covered = 0;
    let deviations = 0;
    let estimated = 0;
    for (let round = 0; round < rounds; round++) {
      const world = await World.create({ partitions: 2 });
      await world.define(live);
      await send(world, seededRandom(round), 1_000, [0.3, 0.3, 0.3, 0.3, 0.3], { names, shares });
      const result = resultOf(await ask(world, live, wanted), 'candidate');
      await world.log.close();
      if (result.status === 'refused') continue;
      estimated += 1;
      const { value, standardError, interval } = result.gain;
      deviations += value / standardError;
      if (interval.low <= 0 && 0 <= interval.high) covered += 1;
    }
    expect(estimated).toBeGreaterThan(50);
    expect(covered).toBeGreaterThan(leastCovered(estimated));
    // Of a standard normal mean: judged by what they have taught, the arms that were lucky would stand out.
    expect(Math.abs(deviations) / Math.sqrt(estimated)).toBeLessThan(3);
  });

  it('learns the candidate as it would have been learned, another reward and attribution included', async () => {
    const world = await World.create({ partitions: 2 });
    await world.define(LIVE);
    await send(world, seededRandom(7), 700, [0.2, 0.5, 0.4]);
    await world.send({ reward: reward({ id: 'late', unit: 'u1', value: 2, atMs: T0 + 90 }) });
    const wanted: Experiment = {
      ...LIVE,
      attribution: { model: 'every-decision', windowMs: 50 },
      reward: rewardSpec({ metrics: { click: { fold: 'max' } }, delay: 'labelled', min: 0, max: 4 }),
    };
    const found = await ask(world, LIVE, wanted, { judgeBy: 'candidate' });
    const there = await World.create({ partitions: 2 });
    await there.define({ ...wanted, appliedAtMs: [0] });
    await send(there, seededRandom(7), 700, [0.2, 0.5, 0.4]);
    await there.send({ reward: reward({ id: 'late', unit: 'u1', value: 2, atMs: T0 + 90 }) });
    const truth = (await there.replay()).snapshots.get(LIVE.id)!;
    expect(found.arms.map(({ candidate }) => candidate)).toMatchObject(
      truth.arms.map(({ pulls, n, sumR }) => ({ pulls, n, mean: (4 * sumR) / n })),
    );
    expect(found.unlabelled).toBeGreaterThan(50);
    expect(found.decisions + found.unlabelled + found.taught + found.immature).toBe(700);
    // Judged by what it is worth to the candidate, where no reward counts as none.
    expect(resultOf(found, 'live, as it was dealt')).toMatchObject({
      status: 'estimated',
      ips: { value: expect.closeTo(1, 1) },
    });
  });

  it('learns of each unit as much as is learned live, other experiments counted in', async () => {
    const world = await trafficWorld(2);
    await sendTraffic(world, 0, 120);
    const experiments = await readExperiments(world);
    const live = experiments.get(LIVE.id)!;
    const found = await ask(world, live, live, { experiments });
    const truth = (await world.replay()).snapshots.get(live.id)!;
    expect(found.arms.map(({ candidate }) => candidate)).toMatchObject(
      truth.arms.map(({ pulls, n }) => ({ pulls, n })),
    );
  });

  it('judges only what is old enough, what was drawn, and says how much it left out', async () => {
    const world = await World.create({ partitions: 1 });
    await world.define(LIVE);
    await send(world, seededRandom(7), 300, [0.2, 0.5, 0.4]);
    world.clock.nowMs = T0 + 299;
    await world.send({
      decision: decision({ id: 'fallback', reason: 'fallback', slots: [{ armId: 'a' as ArmId, propensity: 1 }] }),
    });
    await world.send({ reward: reward({ id: 'clock', unit: 'nobody' }) });
    const found = await ask(world, LIVE, LIVE, { matureMs: 100 });
    expect(found.immature).toBe(100);
    expect(found.decisions + found.taught).toBe(200);
  });

  it('gives no number for what was hardly ever dealt, and takes no candidate that the log was not written for', async () => {
    const world = await World.create({ partitions: 1 });
    await world.define(LIVE);
    await send(world, seededRandom(7), 120, [0.2, 0.5, 0.4]);
    expect(resultOf(await ask(world, LIVE, LIVE), 'candidate')).toMatchObject({ status: 'refused' });
    const context = [{ kind: 'boolean', name: 'returning' } as const];
    expect(() => candidateDefinition(LIVE, { ...LIVE, context })).toThrow(/context cannot change .* logged/);
  });
});

describe('on the Open Bandit Dataset', () => {
  it('the log of random items says what the other policy earned, which is known since it was played', async () => {
    const [random, bts] = await Promise.all([readOpenBandit('random'), readOpenBandit('bts')]);
    const items = Array.from({ length: 80 }, (_, item) => `item-${item}`);
    const dealt = items.map((_, item) => bts.filter((one) => one.item === item).length);
    const live = {
      ...LIVE,
      arms: arms(
        items.map(() => 1),
        items,
      ),
      fallbackArmId: 'item-0' as ArmId,
    };
    const world = await World.create({ partitions: 2 });
    await world.define(live);
    for (const { row, item, click, propensity } of random) {
      const unit = `row-${row}`;
      const slots = [{ armId: items[item] as ArmId, propensity }];
      await world.send({ decision: decision({ id: unit, unit, slots }) });
      if (click === 1) await world.send({ reward: reward({ id: unit, unit, decision: unit, value: 1 }) });
    }
    const found = await ask(world, live, { ...live, arms: arms(dealt, items) });
    const truth = bts.reduce((sum, { click }) => sum + click, 0) / bts.length;
    const result = resultOf(found, 'candidate');
    expect(result).toMatchObject({ status: 'estimated', decisions: found.decisions });
    expect(found.decisions).toBeGreaterThan(4_500);
    if (result.status !== 'estimated') return;
    for (const kind of ['ips', 'snips', 'dr'] as const) {
      expect(result[kind].interval.low).toBeLessThan(truth);
      expect(result[kind].interval.high).toBeGreaterThan(truth);
    }
    // Played by itself, a policy earns what it has earned.
    const uniform = resultOf(found, 'live definition');
    expect(uniform).toMatchObject({ ips: { value: expect.closeTo(38 / 10_000, 2) }, weightMax: expect.closeTo(1, 6) });
  });
});
