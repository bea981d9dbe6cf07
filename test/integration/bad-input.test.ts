/** Poison in the inputs: each record becomes a dead letter with its reason and a count, and learning goes on. */
import { describe, expect, it } from 'vitest';
import type { DeadLetter } from '../../services/contracts/dead-letter.ts';
import { DEAD_LETTER_VALUE_BYTES_MAX } from '../../services/contracts/limits.ts';
import { REFUSALS } from '../../services/contracts/refusals.ts';
import { loadSchemas } from '../../services/contracts/schemas.ts';
import { frame } from '../../services/contracts/wire.ts';
import type { ArmId, ExperimentId, UnitId } from '../../services/core/events.ts';
import { unaccounted } from '../../services/core/learning/counts.ts';
import type { LearnerSettings } from '../../services/learner/learner.ts';
import type { PublisherObserver } from '../../services/learner/publisher.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import type { AppendRecord } from '../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../services/platform/log/read-to-end.ts';
import { decision, experiment, reward, T0 } from '../support/core.ts';
import { rewardSpec } from '../support/reward-spec.ts';
import { World } from '../support/world.ts';

const COUPON = 'coupon' as ExperimentId;
const UNIT = 'user-1';

type Poison = { readonly topic: 'decisions' | 'rewards'; readonly record: AppendRecord };

/** Bytes of a record that no producer of ours would make: the Avro record as given, none of the contracts' checks. */
function unchecked(world: World, kind: 'decision' | 'reward', raw: object): Buffer {
  const schema = loadSchemas().get(kind)!;
  const good = kind === 'decision' ? world.codecs.decision.encode(decision()) : world.codecs.reward.encode(reward());
  return frame(good.readUInt32BE(1), schema.type.toBuffer(raw));
}

const poisons: [string, string, (world: World) => Poison][] = [
  ['bytes that are not in the wire format', 'bad-magic', () => onRewards(Buffer.from('{"value": 1}'))],
  ['no bytes at all', 'bad-magic', () => onRewards(Buffer.alloc(0))],
  ['a tombstone', 'no-value', () => onRewards(null)],
  [
    'an unknown schema id',
    'unknown-schema',
    (world) => onRewards(withSchemaId(world.codecs.reward.encode(reward()), 99_999)),
  ],
  [
    "the schema of another topic's records",
    'unknown-schema',
    (world) => onRewards(world.codecs.decision.encode(decision({ unit: UNIT }))),
  ],
  ['malformed Avro', 'malformed', (world) => onRewards(world.codecs.reward.encode(reward()).subarray(0, 9))],
  [
    'Avro with a length of 2⁶² bytes',
    'malformed',
    (world) => onRewards(Buffer.concat([world.codecs.reward.encode(reward()).subarray(0, 5), Buffer.alloc(9, 0xff)])),
  ],
  ['NaN', 'number-range', (world) => onRewards(unchecked(world, 'reward', rawReward({ value: Number.NaN })))],
  ['Infinity', 'number-range', (world) => onRewards(unchecked(world, 'reward', rawReward({ value: Infinity })))],
  [
    'a reward in the year 3000',
    'time-range',
    (world) => onRewards(unchecked(world, 'reward', rawReward({ occurredAtMs: Date.UTC(3000, 0, 1) }))),
  ],
  [
    'a propensity of NaN',
    'propensity-range',
    (world) =>
      onDecisions(unchecked(world, 'decision', rawDecision({ slots: [{ armId: 'A', propensity: Number.NaN }] }))),
  ],
  [
    'features of NaN',
    'feature-range',
    (world) => onDecisions(unchecked(world, 'decision', rawDecision({ features: [Number.NaN] }))),
  ],
  [
    "a key that is not the event's unit",
    'key-mismatch',
    (world) => onRewards(world.codecs.reward.encode(reward({ unit: 'another' }))),
  ],
  ['no key', 'key-mismatch', (world) => ({ topic: 'rewards', record: { key: null, value: won(world) } })],
  [
    'a key of 1.1 MB',
    'key-mismatch',
    (world) => ({ topic: 'rewards', record: { key: 'k'.repeat(1_100_000), value: won(world) } }),
  ],
  [
    'an unknown experiment',
    'unknown-experiment',
    (world) =>
      onDecisions(world.codecs.decision.encode(decision({ unit: UNIT, experimentId: 'nowhere' as ExperimentId }))),
  ],
  [
    'an experiment called __proto__',
    'unknown-experiment',
    (world) =>
      onDecisions(world.codecs.decision.encode(decision({ unit: UNIT, experimentId: '__proto__' as ExperimentId }))),
  ],
  [
    'an arm called __proto__',
    'unknown-arm',
    (world) =>
      onDecisions(
        world.codecs.decision.encode(decision({ unit: UNIT, slots: [{ armId: '__proto__' as ArmId, propensity: 1 }] })),
      ),
  ],
  [
    'a version that is not there yet',
    'unknown-experiment-version',
    (world) => onDecisions(world.codecs.decision.encode(decision({ unit: UNIT, experimentVersion: 7 }))),
  ],
  [
    'a context of the wrong length',
    'feature-dimension',
    (world) => onDecisions(world.codecs.decision.encode(decision({ unit: UNIT, features: [1, 2] }))),
  ],
  [
    '10 MB',
    'too-large',
    (world) => onDecisions(unchecked(world, 'decision', rawDecision({ policy: 'x'.repeat(10_000_000) }))),
  ],
];

const onRewards = (value: Buffer | null): Poison => ({ topic: 'rewards', record: { key: UNIT, value } });
const onDecisions = (value: Buffer): Poison => ({ topic: 'decisions', record: { key: UNIT, value } });
const won = (world: World): Buffer => world.codecs.reward.encode(reward({ unit: UNIT }));

function rawReward(overrides: object): object {
  return { ...reward({ unit: UNIT }), ...overrides };
}

function rawDecision(overrides: object): object {
  return { ...decision({ unit: UNIT }), ...overrides };
}

function withSchemaId(bytes: Buffer, id: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt32BE(id, 1);
  return changed;
}

async function letters(world: World): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for await (const { records } of readToEnd(world.log, await startOf(world.log, world.topics.deadLetters))) {
    for (const { value } of records) found.push(world.codecs.deadLetter.decode(value!));
  }
  return found;
}

/** Learns good events around what is given, and checks that nothing is lost and that the good ones are learned. */
async function learnAround(
  poison: (world: World) => Poison[],
  settings: Partial<LearnerSettings> = {},
): Promise<{ world: World; letters: DeadLetter[]; refused: string[] }> {
  const world = await World.create({ partitions: 1, inputBytesMax: 20_000_000 });
  await world.define(experiment());
  const refused: string[] = [];
  await world.send({ decision: decision({ unit: UNIT }) });
  const learner = await world.learner({
    settings,
    observer: { tally: { refused: ({ reason }) => void refused.push(reason.code) } },
  });
  for (const { topic, record } of poison(world)) await world.append(world.topics[topic], record, 0);
  await world.send({ reward: reward({ unit: UNIT, value: 2 }) });
  await world.learned();
  await learner.stop();
  const { snapshots, counts } = await world.replay();
  const last = (await world.snapshots(COUPON)).at(-1)!;
  expect(last.digest).toBe(snapshots.get(COUPON)!.digest);
  expect(last.arms[0]).toMatchObject({ pulls: 1, n: 1, sumR: 0.5 });
  expect(await world.counts()).toEqual(counts);
  expect([unaccounted(counts, 'decisions'), unaccounted(counts, 'rewards')]).toEqual([0, 0]);
  return { world, letters: await letters(world), refused };
}

describe('poison in the inputs', () => {
  it.each(poisons)('%s is a dead letter with the reason %s, and learning goes on', async (_what, reason, make) => {
    let sent: Poison | null = null;
    const {
      world,
      letters: found,
      refused,
    } = await learnAround((made) => {
      sent = make(made);
      return [sent];
    });
    const { topic, record } = sent!;
    expect(REFUSALS).toHaveProperty(reason);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ reason, topic: world.topics[topic], partition: 0, appendedAtMs: T0 });
    const kept = record.value?.subarray(0, DEAD_LETTER_VALUE_BYTES_MAX) ?? null;
    expect(found[0]!.value?.equals(kept!) ?? null).toBe(kept === null ? null : true);
    expect(found[0]!.truncatedFrom).toBe(kept?.length === record.value?.length ? null : record.value!.length);
    expect(refused).toEqual([reason]);
    const counts = await world.counts();
    expect(counts[topic === 'decisions' ? 'decisionsDeadLettered' : 'rewardsDeadLettered']).toBe(1);
  });

  it('a unit in a partition that is not its own is a dead letter, as its other events are elsewhere', async () => {
    const world = await World.create({ partitions: 2 });
    await world.define(experiment());
    const own = partitionOf(UNIT, 2);
    const record = { key: UNIT, value: world.codecs.decision.encode(decision({ unit: UNIT })) };
    await world.append(world.topics.decisions, record, 1 - own);
    await world.append(world.topics.decisions, record, own);
    const learner = await world.learner();
    await world.learned();
    await learner.stop();
    expect((await letters(world)).map(({ reason, partition }) => [reason, partition])).toEqual([
      ['wrong-partition', 1 - own],
    ]);
    expect(await world.counts()).toMatchObject({ decisionsIn: 2, decisionsPending: 1, decisionsDeadLettered: 1 });
  });

  it('all of it at once, many times over, leaves nothing but dead letters', async () => {
    const { letters: found } = await learnAround((world) =>
      Array.from({ length: 3 }, () => poisons.map(([, , make]) => make(world))).flat(),
    );
    expect(found).toHaveLength(3 * poisons.length);
  });

  it('thousands of small dead letters with long keys fit their topic', async () => {
    const poison = (): Poison[] =>
      Array.from({ length: 6_000 }, (_, i) => ({
        topic: 'rewards',
        record: { key: `${i}`.padStart(900, 'k'), value: Buffer.from('poison') },
      }));
    // All in few commits.
    const { letters: found } = await learnAround(poison, { pollRecordsMax: 10_000, commitIntervalMs: 500 });
    expect(found).toHaveLength(6_000);
  });

  it('units, rewards and metrics may be called __proto__ or constructor', async () => {
    const world = await World.create({ partitions: 2 });
    await world.define(experiment({ reward: rewardSpec({ metrics: { ['__proto__']: {} } }) }));
    const learner = await world.learner();
    for (const name of ['__proto__', 'constructor', 'toString']) {
      await world.send(
        { decision: decision({ unit: name, id: name }) },
        { reward: reward({ unit: name, id: name, metric: '__proto__', decision: name, value: 4 }) },
      );
    }
    await world.learned();
    await learner.stop();
    expect((await world.snapshots(COUPON)).at(-1)!.arms[0]).toMatchObject({ pulls: 3, n: 3, sumR: 3 });
    expect(await world.counts()).toMatchObject({ decisionsJoined: 3, rewardsJoined: 3 });
  });

  it('a definition that a policy cannot work with is told of, the last snapshot and the learner stay', async () => {
    const world = await World.create({ partitions: 1 });
    await world.define(experiment());
    const refused: string[] = [];
    let pulls = 0;
    const publish: PublisherObserver = {
      published: ({ arms }) => {
        pulls = arms[0]!.pulls;
      },
      refused: (_experimentId, error) => refused.push(error.code),
      unavailable: () => {},
    };
    const learner = await world.learner({ observer: { publish } });
    await world.send({ decision: decision({ unit: UNIT }) });
    while (pulls === 0) await new Promise(setImmediate);

    const arms = experiment().arms.map((arm) => ({ ...arm, attributes: new Map([['share', -1]]) }));
    const policies = [{ kind: 'fixed-split', parameters: new Map<string, number>() }];
    await world.define(experiment({ version: 2, appliedAtMs: [T0, T0], arms, policies }));
    while (refused.length === 0) await new Promise(setImmediate);
    await world.send({ decision: decision({ unit: 'user-2', id: 'd2' }) });
    await world.learned();
    await learner.stop();
    expect(new Set(refused)).toEqual(new Set(['policy-attribute']));
    expect((await world.snapshots(COUPON)).at(-1)).toMatchObject({ experimentVersion: 1, arms: [{ pulls: 1 }, {}] });
    expect(await world.counts()).toMatchObject({ decisionsIn: 2 });
  });

  it('a definition that cannot be read is told of, and the last good one stays', async () => {
    const world = await World.create({ partitions: 1 });
    await world.define(experiment());
    await world.append(world.topics.experiments, { key: COUPON, value: Buffer.from('poison') });
    const refused: string[] = [];
    const learner = await world.learner({ observer: { definitionRefused: (error) => refused.push(error.code) } });
    await world.send({ decision: decision({ unit: UNIT as UnitId }) });
    await world.learned();
    await learner.stop();
    expect(refused).toEqual(['bad-magic']);
    expect((await world.snapshots(COUPON)).at(-1)!.arms[0]).toMatchObject({ pulls: 1 });
  });
});
