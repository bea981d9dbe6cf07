/** Learners as processes on a real cluster: killed, frozen, stopped and moved under load, they end where a replay does. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAULTS, Learners } from '../chaos/faults.ts';
import { kafkaBrokers } from '../support/broker.ts';
import { brokerIsOurs } from '../support/broker-process.ts';
import { get } from '../support/decider.ts';
import { Installation, type RunningProcess } from '../support/installation.ts';
import { Load } from '../support/load.ts';
import { until } from '../support/until.ts';

const PARTITIONS = 3;
/** Quick to notice a dead member, and to commit: many commits in a short test. */
const QUICK = { CROUPIER_LEARNER_SESSION_TIMEOUT: '6s', CROUPIER_LEARNER_COMMIT_INTERVAL: '20ms' };

let installation: Installation;
let load: Load;
/** Of a second learner. */
let folder: string;

beforeEach(async () => {
  const experiments = ['deploy/examples/home-banner.yaml'];
  installation = await Installation.create({ name: 'learner', partitions: PARTITIONS, experiments });
  load = new Load(installation, PARTITIONS);
  folder = await mkdtemp(join(tmpdir(), 'croupier-second-'));
});
afterEach(async () => {
  await load?.close();
  await installation?.close();
  await rm(folder, { recursive: true, force: true });
});

const send = (steps: number) => load.send(steps);
const learned = () => load.learned();

/** Kills without warning, as a machine that loses its power. */
function kill({ started }: RunningProcess): void {
  process.kill(Number(started.pid), 'SIGKILL');
}

/** Resolves once the learner works on a partition. */
async function ownsSome({ started }: RunningProcess): Promise<void> {
  const owns = async () =>
    String((await get(Number(started.port), '/metrics')).body).includes('croupier_learner_offset{');
  await until('the learner owns a partition', owns, 30_000);
}

async function expectTheTruth(): Promise<void> {
  expect(await load.contradictions()).toEqual([]);
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
    // Stopped too soon it may not own what the first published, and the next owner would publish the end.
    await expectTheTruth();
    expect(await second.stop()).toBe(0);
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
    await expectTheTruth();
    expect(await second.stop()).toBe(0);
  });

  it('started on an empty disk after a kill, go on from the tallies', async () => {
    const first = await installation.startLearner(QUICK);
    await send(1_000);
    await learned();
    await send(3_000);
    kill(first);
    const second = await installation.startLearner({ ...QUICK, CROUPIER_LEARNER_EPHEMERAL: 'true' });
    await send(500);
    await expectTheTruth();
    expect(await second.stop()).toBe(0);
  });

  it('tell those who watch the group how far they are', async () => {
    const one = await installation.startLearner(QUICK);
    await send(1_000);
    await learned();
    const { log, topics, prefix } = installation;
    const admin = new kafkajs.Kafka({ brokers: kafkaBrokers(), logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const shown = async () => {
        const wanted = { groupId: `${prefix}learner`, topics: [topics.decisions, topics.rewards] };
        const committed = await admin.fetchOffsets(wanted);
        const ends = await Promise.all(committed.map(({ topic }) => log.admin.offsets(topic)));
        return committed.every(({ partitions }, at) =>
          partitions.every(({ partition, offset }) => Number(offset) === ends[at]![partition]!.end),
        );
      };
      await until('the group has the ends of the inputs as its offsets', shown, 30_000);
    } finally {
      await admin.disconnect();
    }
    expect(await one.stop()).toBe(0);
  });

  it.each([
    ['frozen past the session timeout and woken after another took over, change nothing', 'frozen'],
    ['whose broker is killed and begins again, go on', 'broker'],
  ])(
    '%s',
    async (_promise, name) => {
      // A broker that was given to us is not ours to kill.
      if (name === 'broker' && !(await brokerIsOurs())) return;
      const learners = new Learners(installation, folder, PARTITIONS);
      await learners.start('a');
      await learners.ownAll();
      const stopSending = load.keepSending();
      await FAULTS.find((fault) => fault.name.startsWith(name))!.strike(learners, () => {});
      await learners.ownAll();
      await stopSending();
      await expectTheTruth();
      await learners.stopAll();
    },
    120_000,
  );
});
