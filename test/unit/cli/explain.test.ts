import { beforeEach, expect, test } from 'vitest';
import { sealSnapshot } from '../../../services/contracts/seal.ts';
import { decide } from '../../../services/core/deciding/decide.ts';
import { serve } from '../../../services/core/deciding/served.ts';
import type { Decision, DecisionId, UnitId } from '../../../services/core/events.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import { MergedSums } from '../../../services/core/learning/merge.ts';
import { ExperimentStore } from '../../../services/platform/experiment-store.ts';
import { partitionOf } from '../../../services/platform/log/partitioner.ts';
import { CliWorld } from '../../support/cli.ts';

const FILE = `id: coupon
arms: [none, five, ten]
policy: { kind: beta-ts }
slots: 2
context: [{ name: plan, kind: category, values: [free, paid] }, { name: age, kind: number, mean: 40, scale: 10 }]
reward: { metrics: { revenue: { fold: max } }, min: 0, max: 100, delay: delay-corrected }
attribution: { window: 30d }
`;
const ID = '019b7692-d800-7000-8000-000000000001' as DecisionId;
const CONTEXT = new Map<string, string | number>([
  ['plan', 'paid'],
  ['age', 31],
]);

let world: CliWorld;
let definition: Experiment;

beforeEach(async () => {
  world = new CliWorld();
  // When that UUIDv7 was made.
  world.clock.nowMs = 0x019b7692d800;
  world.files.set('coupon.yaml', FILE);
  await world.run('topics', 'create');
  await world.run('experiments', 'apply', 'coupon.yaml');
  definition = await defined();
});

async function defined(): Promise<Experiment> {
  const store = new ExperimentStore({
    log: world.log,
    topic: world.topics.experiments,
    codec: world.codecs.experiment,
    onRefused: () => {},
  });
  return [...(await store.read()).newest.values()][0]!;
}

async function append(topic: string, key: string, value: Buffer): Promise<void> {
  const partition = partitionOf(key, (await world.log.admin.partitionCount(topic))!);
  await world.log.writer().append({ topic, partition }, [{ key, value }]);
}

/** @param decisions makes the snapshot's version. */
async function publish(decisions: number) {
  const snapshot = sealSnapshot(definition, new MergedSums(), new Map([[0, { decisions, rewards: 0 }]]));
  await append(world.topics.snapshots, definition.id, world.codecs.snapshot.encode(snapshot));
  return snapshot;
}

async function log(decision: Decision): Promise<void> {
  await append(world.topics.decisions, decision.unitId, world.codecs.decision.encode(decision));
}

async function decideAndLog(eligibleArmIds: readonly string[] | null = null, slots = 1): Promise<Decision> {
  const served = serve(definition, await publish(7));
  const request = { unitId: '42' as UnitId, context: CONTEXT, algorithm: null, eligibleArmIds, slots };
  const { decision } = decide(served, request, { decisionId: ID, decidedAtMs: world.clock.nowMs });
  await log(decision);
  return decision;
}

interface Explained {
  readonly slots: readonly { readonly arms: readonly { armId: string; probability: number; dealt: boolean }[] }[];
}

function dealtOf({ arms }: Explained['slots'][number]): object {
  const { armId, probability } = arms.find((arm) => arm.dealt)!;
  return { armId, propensity: probability };
}

test('a decision is found by the time in its id and made again to the bit', async () => {
  const decision = await decideAndLog();
  const explained = await world.json<Explained>('explain', ID);
  expect(explained).toMatchObject({ agrees: true, snapshot: { version: 7 }, definition: { version: 1, exact: true } });
  expect(explained.slots.map(dealtOf)).toEqual(decision.slots);
});

test('every slot of a decision is made again', async () => {
  const decision = await decideAndLog(null, 2);
  const explained = await world.json<Explained>('explain', ID);
  expect(explained).toMatchObject({ agrees: true, draws: [expect.any(Number), expect.any(Number)] });
  expect(explained.slots.map(dealtOf)).toEqual(decision.slots);
  const [first, second] = decision.slots;
  const swapped = '019b7692-d800-7000-8000-000000000003' as DecisionId;
  await log({ ...decision, decisionId: swapped, slots: [first!, { ...second!, propensity: second!.propensity / 2 }] });
  expect(await world.run('explain', swapped)).toMatchObject({ code: 1 });
});

test('the answer names context, statistics, probabilities and draw', async () => {
  const decision = await decideAndLog();
  const { code, stdout } = await world.run('explain', ID);
  expect(code).toBe(0);
  for (const shown of [
    'plan',
    'paid',
    '31',
    'cumulative',
    'pulls',
    'effective exposure',
    'draw',
    'digest',
    String(decision.slots[0]!.propensity),
  ]) {
    expect(stdout).toContain(shown);
  }
  expect(stdout).toContain('the logged ones to the bit');
});

test('a propensity that was not drawn from is found out', async () => {
  const decision = await decideAndLog();
  const [slot] = decision.slots;
  const forged = '019b7692-d800-7000-8000-000000000002' as DecisionId;
  await log({
    ...decision,
    decisionId: forged,
    slots: [{ ...slot!, propensity: slot!.propensity + Number.EPSILON / 2 }],
  });
  const { code, stdout } = await world.run('explain', forged);
  expect(code).toBe(1);
  expect(stdout).toContain('comes out otherwise');
});

test('a decision among some arms agrees when they are named', async () => {
  await decideAndLog(['none', 'ten']);
  expect((await world.run('explain', ID)).code).toBe(1);
  expect(await world.run('explain', ID, '--eligible', 'none,ten')).toMatchObject({ code: 0 });
});

test('without its snapshot a decision is explained from what it carries', async () => {
  await decideAndLog();
  await publish(8);
  world.log.compact(world.topics.snapshots);
  const { code, stdout } = await world.run('explain', ID);
  expect(code).toBe(0);
  expect(stdout).toContain('version 7, gone from the log');
  expect(stdout).toContain('paid');
  expect(await world.json('explain', ID)).toMatchObject({ agrees: null, slots: null, draws: [expect.any(Number)] });
});

test('without its definition the one that stands is shown as another', async () => {
  await decideAndLog();
  await world.run('experiments', 'delete', 'coupon', '--yes');
  world.log.compact(world.topics.experiments);
  expect((await world.run('explain', ID)).stdout).toContain('that version is gone from the log; shown is 2');
});

test('a decision that is not there is told with where it was looked for', async () => {
  await decideAndLog();
  const missing = await world.run('explain', '019b7692-d800-7000-8000-00000000ffff');
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('within an hour of the time in its id') });
  expect((await world.run('explain', 'my-own-id')).stderr).toContain('is no UUIDv7');
});

test('a decision with an id of its own kind is found from a time on', async () => {
  const decision = await decideAndLog();
  await log({ ...decision, decisionId: 'my-own-id' as DecisionId });
  const explained = await world.json('explain', 'my-own-id', '--since', new Date(world.clock.nowMs - 1).toISOString());
  expect(explained).toMatchObject({ agrees: true });
  const later = new Date(world.clock.nowMs + 1).toISOString();
  expect((await world.run('explain', 'my-own-id', '--since', later)).code).toBe(1);
});
