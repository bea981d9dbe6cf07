import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { standardErrorReporter } from '../../deploy/local/reporter.ts';
import type { Decision, Reward } from '../../services/core/events.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import { get } from '../support/decider.ts';
import { Installation } from '../support/installation.ts';
import { ensurePython, type Python } from '../support/polyglot/python.ts';

const EXPERIMENT = 'home-banner';
const ARMS = ['summer', 'autumn', 'plain'];
const PARTITIONS = 7;
/** In UTF-8 longer than its letters, and in another partition by librdkafka's own hash. */
const USER = 'Zoë';
const ENVIRONMENT_MS_MAX = 300_000;

/** What the examples print. */
interface Asked {
  readonly decision: Readonly<Record<'decisionId' | 'snapshotVersion' | 'decidedAtMs', string>> & {
    readonly slots: readonly { readonly armId: string; readonly armIndex: number; readonly propensity: number }[];
  };
  readonly rewardId: string;
}
interface Produced {
  readonly decisionId?: string;
  readonly rewardId?: string;
  readonly partition: number;
  readonly offset: number;
}

let python: Python;
let installation: Installation;
let httpPort: number;
/** A decision over gRPC and a reward of 0.25; then, straight onto the log, a later reward for it, of 1. */
let asked: Asked;
let laterReward: Produced;
/** Both straight onto the log: a decision of another arm and its reward, of 0.5. */
let otherArm: string;
let decision: Produced;
let reward: Produced;
const EVENTS = 5;

beforeAll(async () => {
  python = await ensurePython(standardErrorReporter('test'));
}, ENVIRONMENT_MS_MAX);

beforeAll(async () => {
  const experiments = [`deploy/examples/${EXPERIMENT}.yaml`];
  installation = await Installation.create({ name: 'polyglot', partitions: PARTITIONS, experiments });
  const [decider] = await Promise.all([installation.startDecider(), installation.startLearner()]);
  httpPort = decider.httpPort;
  const user = ['--user', USER];
  const worth = ['--metric', 'purchase', '--value'];
  asked = await example(
    'decide.py',
    EXPERIMENT,
    ...user,
    ...worth,
    '0.25',
    '--address',
    `127.0.0.1:${decider.grpcPort}`,
  );
  laterReward = await example('produce.py', 'reward', ...user, ...worth, '1', '--decision', asked.decision.decisionId);
  otherArm = ARMS.find((arm) => arm !== asked.decision.slots[0]!.armId)!;
  decision = await example('produce.py', 'decision', EXPERIMENT, ...user, '--arm', otherArm, '--propensity', '0.25');
  reward = await example('produce.py', 'reward', ...user, ...worth, '0.5', '--decision', decision.decisionId!);
});

afterAll(() => installation?.close());

async function example<T>(script: string, ...args: string[]): Promise<T> {
  return JSON.parse(await python.run(script, args, installation.environment)) as T;
}

test('the draw is the same in Python, for every golden case', async () => {
  expect(await python.run('check_vectors.py', [])).toBe('68 hashes and 9 draws agree\n');
});

test('what Python is told over gRPC is what stands on the log', async () => {
  await installation.booksOf(EVENTS);
  const { decisionId, snapshotVersion, decidedAtMs, slots, ...rest } = asked.decision;
  expect(rest).toEqual({
    experimentId: EXPERIMENT,
    experimentVersion: 1,
    policy: 'beta-ts',
    reason: 'DECISION_REASON_BANDIT',
  });
  expect(slots).toHaveLength(1);
  expect(slots[0]!.armIndex).toBe(ARMS.indexOf(slots[0]!.armId));
  const logged = (await decisions()).find((each) => each.decision.decisionId === decisionId);
  expect(logged?.decision).toEqual<Decision>({
    decisionId: decisionId as Decision['decisionId'],
    experimentId: EXPERIMENT as Decision['experimentId'],
    experimentVersion: 1,
    unitId: USER as Decision['unitId'],
    slots: slots.map(({ armId, propensity }) => ({ armId: armId as Decision['slots'][0]['armId'], propensity })),
    reason: 'bandit',
    policy: 'beta-ts',
    snapshotVersion: Number(snapshotVersion),
    pendingExposures: 0,
    features: [],
    decidedAtMs: Number(decidedAtMs),
  });
  const told = (await rewards()).find((each) => each.reward.rewardId === asked.rewardId);
  expect(told?.reward).toMatchObject({ unitId: USER, metric: 'purchase', value: 0.25, decisionId });
});

test('what Python produces reads as what it meant, with the defaults of the schema', async () => {
  const dealt = (await decisions()).find((each) => each.decision.decisionId === decision.decisionId);
  expect(dealt).toMatchObject({ partition: decision.partition, offset: decision.offset, key: USER });
  expect(dealt?.decision).toMatchObject({
    experimentId: EXPERIMENT,
    unitId: USER,
    slots: [{ armId: otherArm, propensity: 0.25 }],
    snapshotVersion: 0,
    features: [],
  });
  const told = (await rewards()).find((each) => each.reward.rewardId === reward.rewardId);
  expect(told).toMatchObject({ partition: reward.partition, offset: reward.offset, key: USER });
  expect(told?.reward).toMatchObject({ revision: 0, value: 0.5, decisionId: decision.decisionId, experimentId: null });
});

test("a user's records lie in one partition, whichever language produced them", async () => {
  const partition = partitionOf(USER, PARTITIONS);
  expect(crc32(USER) % PARTITIONS, 'the user must tell the two hashes apart').not.toBe(partition);
  const produced = [laterReward, decision, reward];
  expect(produced.map((each) => each.partition)).toEqual(Array(produced.length).fill(partition));
  await installation.booksOf(EVENTS);
  const all = [...(await decisions()), ...(await rewards())];
  expect(all.map((each) => each.partition)).toEqual(Array(EVENTS).fill(partition));
});

test('what Python asked for and what it produced is joined and learned', async () => {
  expect(await installation.booksOf(EVENTS)).toMatchObject({
    decisionsIn: 2,
    decisionsJoined: 2,
    rewardsIn: 3,
    rewardsJoined: 3,
    clipped: 0,
  });
  // Of several rewards of one decision the largest counts, as the experiment says.
  const learned: Readonly<Record<string, number>> = { [asked.decision.slots[0]!.armId]: 1, [otherArm]: 0.5 };
  const statistics = async () => (await get(httpPort, `/stats?exp_id=${EXPERIMENT}`)).body;
  await expect.poll(statistics, { timeout: 20_000 }).toMatchObject({
    arm_counts: ARMS.map((arm) => (arm in learned ? 1 : 0)),
    arm_values: ARMS.map((arm) => learned[arm] ?? null),
  });
});

async function decisions(): Promise<(Produced & { readonly key: string | null; readonly decision: Decision })[]> {
  const { topics, codecs } = installation;
  const records = await installation.recordsOf(topics.decisions);
  return records.map((record) => ({ ...record, decision: codecs.decision.decode(record.value!) }));
}

async function rewards(): Promise<(Produced & { readonly key: string | null; readonly reward: Reward })[]> {
  const { topics, codecs } = installation;
  const records = await installation.recordsOf(topics.rewards);
  return records.map((record) => ({ ...record, reward: codecs.reward.decode(record.value!) }));
}
