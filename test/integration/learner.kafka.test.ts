/** Learners as processes on a real cluster: killed, stopped and moved under load, they end where a replay does. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ArmId, ExperimentId } from '../../services/core/events.ts';
import { type Counts, unaccounted } from '../../services/core/learning/counts.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import type { AppendRecord, LogWriter } from '../../services/platform/log/port.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { replay } from '../../services/replay/replay.ts';
import { decision, reward } from '../support/core.ts';
import { get } from '../support/decider.ts';
import { Installation, type RunningProcess } from '../support/installation.ts';

const BANNER = 'home-banner' as ExperimentId;
const ARMS = ['summer', 'autumn', 'plain'];
const PARTITIONS = 3;
const DAY_MS = 86_400_000;
const LIMITS = { windowMs: 30 * DAY_MS, graceMs: DAY_MS, earlyGraceMs: DAY_MS, unitEventsMax: 200, unitSpanMs: DAY_MS };
/** Quick to notice a dead member, and to commit: many commits in a short test. */
const QUICK = { CROUPIER_LEARNER_SESSION_TIMEOUT: '6s', CROUPIER_LEARNER_COMMIT_INTERVAL: '20ms' };

type Input = { readonly topic: 'decisions' | 'rewards'; readonly unit: string; readonly value: Buffer };

let installation: Installation;
let writer: LogWriter;
let sent: number;
/** Of a second learner. */
let folder: string;

beforeEach(async () => {
  const experiments = [`deploy/examples/${BANNER}.yaml`];
  installation = await Installation.create({ name: 'learner', partitions: PARTITIONS, experiments });
  writer = installation.log.writer();
  sent = 0;
  folder = await mkdtemp(join(tmpdir(), 'croupier-second-'));
});
afterEach(async () => {
  await installation?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Decisions of 97 units and what became of them: nothing, a reward, one twice, one revised, bad bytes. */
function inputsOf(step: number): Input[] {
  const { codecs } = installation;
  const unit = `user-${step % 97}`;
  const atMs = Date.now();
  const id = String(step);
  const won = (overrides: Parameters<typeof reward>[0]): Input => {
    const event = reward({ id, unit, atMs, decision: id, metric: 'purchase', value: (step % 10) / 10, ...overrides });
    return { topic: 'rewards', unit, value: codecs.reward.encode(event) };
  };
  const slots = [{ armId: ARMS[step % ARMS.length] as ArmId, propensity: 1 / 3 }];
  const made = decision({ id, unit, atMs, slots, experimentId: BANNER });
  const dealt: Input = { topic: 'decisions', unit, value: codecs.decision.encode(made) };
  switch (step % 5) {
    case 0:
      return [dealt];
    case 1:
      return [won({}), dealt];
    case 2:
      return [dealt, dealt, won({}), won({})];
    case 3:
      return [dealt, won({}), won({ revision: 1, value: 0.5 })];
    default:
      return [dealt, { topic: 'rewards', unit, value: Buffer.from('not Avro') }];
  }
}

/** Sends the events of so many steps more. */
async function send(steps: number): Promise<void> {
  const first = sent;
  const byPlace = Map.groupBy(
    Array.from({ length: steps }, (_, i) => inputsOf(first + i)).flat(),
    ({ topic, unit }) => `${topic}/${partitionOf(unit, PARTITIONS)}`,
  );
  for (const [place, inputs] of byPlace) {
    const [topic, partition] = place.split('/') as ['decisions' | 'rewards', string];
    const records = inputs.map(({ unit, value }): AppendRecord => ({ key: unit, value }));
    await writer.append({ topic: installation.topics[topic], partition: Number(partition) }, records);
  }
  sent += steps;
}

/** Five steps make twelve events. */
const eventsSent = () => (sent / 5) * 12;

/** Resolves once all that was sent is in the published books. */
const learned = (): Promise<Counts> => installation.booksOf(eventsSent());

/** Kills without warning, as a machine that loses its power. */
function kill({ started }: RunningProcess): void {
  process.kill(Number(started.pid), 'SIGKILL');
}

/** Resolves once the learner works on a partition. */
async function ownsSome({ started }: RunningProcess): Promise<void> {
  const owns = async () =>
    String((await get(Number(started.port), '/metrics')).body).includes('croupier_learner_offset{');
  await vi.waitUntil(owns, { timeout: 30_000, interval: 50 });
}

async function expectTheTruth(): Promise<void> {
  const { log, topics, codecs } = installation;
  const counts = await learned();
  const truth = await replay({
    log,
    topics,
    codecs,
    limits: LIMITS,
    pollRecordsMax: 5_000,
    openStore: async () => new MemoryStore(),
    from: Array.from({ length: PARTITIONS }, () => ({ decisions: 0, rewards: 0 })),
    onProgress: () => {},
  });
  const published = await installation.recordsOf(topics.snapshots);
  const snapshots = published.flatMap(({ value }) => (value === null ? [] : [codecs.snapshot.decode(value)]));
  expect(snapshots.at(-1)!.digest).toBe(truth.snapshots.get(BANNER)!.digest);
  expect(snapshots.at(-1)!.version).toBe(eventsSent());
  expect(counts).toEqual(truth.counts);
  expect([unaccounted(counts, 'decisions'), unaccounted(counts, 'rewards')]).toEqual([0, 0]);
  expect(counts.rewardsDeadLettered).toBe(sent / 5);
}

describe('learners on a real cluster', () => {
  it('killed in the middle of the load and started again on the same disk, end where a replay does', async () => {
    const first = await installation.startLearner(QUICK);
    await send(1_000);
    await learned();
    await send(4_000);
    kill(first);
    await send(500);
    const second = await installation.startLearner(QUICK);
    await send(500);
    await learned();
    expect(await second.stop()).toBe(0);
    await expectTheTruth();
  });

  it('asked to stop, hand over cleanly to the one that stays', async () => {
    const first = await installation.startLearner(QUICK);
    await send(1_000);
    const second = await installation.startLearner({ ...QUICK, CROUPIER_LEARNER_DATA: folder });
    await ownsSome(second);
    await send(2_000);
    const [code] = await Promise.all([first.stop(), send(1_000)]);
    expect(code).toBe(0);
    await send(500);
    await learned();
    expect(await second.stop()).toBe(0);
    await expectTheTruth();
  });

  it('started on an empty disk after a kill, go on from the tallies', async () => {
    const first = await installation.startLearner(QUICK);
    await send(1_000);
    await learned();
    await send(3_000);
    kill(first);
    const second = await installation.startLearner({ ...QUICK, CROUPIER_LEARNER_EPHEMERAL: 'true' });
    await send(500);
    await learned();
    expect(await second.stop()).toBe(0);
    await expectTheTruth();
  });
});
