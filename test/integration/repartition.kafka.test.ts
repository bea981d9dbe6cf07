/** `croupier repartition` on a real cluster: while events come, killed in the middle, with learners of both generations. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import kafkajs from 'kafkajs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CHECKOUT } from '../../deploy/local/ensure.ts';
import { unaccounted } from '../../services/core/learning/counts.ts';
import { inputEnds } from '../../services/replay/span.ts';
import { kafkaBrokers } from '../support/broker.ts';
import { Installation } from '../support/installation.ts';
import { Load } from '../support/load.ts';

const QUICK = { CROUPIER_LEARNER_COMMIT_INTERVAL: '20ms' };
const NEXT = { ...QUICK, CROUPIER_GENERATION: '2' };
const COMMAND = ['repartition', '--partitions', '7'];

let installation: Installation;

beforeEach(async () => {
  const experiments = ['deploy/examples/home-banner.yaml'];
  installation = await Installation.create({ name: 'repartition', partitions: 4, experiments });
});
afterEach(() => installation.close());

/** As retention does, once nothing can reach it any more. */
async function dropFirst(topic: string, partition: number): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: [...kafkaBrokers()], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: '1' }] });
  await admin.disconnect();
}

/** Ends it without warning once it tells of its first copies. */
async function killedCopier(): Promise<void> {
  const env = { ...process.env, ...installation.environment };
  const child = spawn(process.execPath, ['services/learner/repartition/main.ts', ...COMMAND.slice(1)], {
    cwd: CHECKOUT,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr!.once('data', () => child.kill('SIGKILL'));
  await once(child, 'exit');
}

const events = async ({ log, topics }: Installation) =>
  (await inputEnds(log, topics)).reduce((sum, { decisions, rewards }) => sum + decisions + rewards, 0);

it.each([
  ['everything', false],
  ['less than everything', true],
])(
  'an installation whose log has %s gets 7 partitions instead of 4, and learns what it would have',
  async (_what, isShort) => {
    const old = new Load(installation, 4);
    const learners = [await installation.startLearner(QUICK)];
    // Of its own, in the first place: the first record of a partition is the one that is dropped.
    await old.send(1);
    await old.learned();
    if (isShort) {
      const ends = await installation.log.admin.offsets(installation.topics.decisions);
      await dropFirst(
        installation.topics.decisions,
        ends.findIndex(({ end }) => end > 0),
      );
    }
    await old.send(6_000);
    await killedCopier();
    const answer = JSON.parse(await installation.croupier(...COMMAND, '--json')) as Record<string, unknown>;
    expect(answer).toMatchObject({ sourcePartitions: 4, targetPartitions: 7, isWhole: !isShort, late: 0 });
    await old.send(500);
    const next = await installation.generation(2);
    learners.push(await installation.startLearner(NEXT));
    const following = installation.croupier(...COMMAND, '--follow', '--quiet', '4s');
    await old.send(1_500);
    await following;
    // The same events until now, in both.
    const told = await next.booksOf(await events(installation));
    const before = await old.learned();
    expect(told.decisionsJoined).toBe(before.decisionsJoined);
    expect(await new Load(next, 7).publishedDigest((await old.publishedDigest(''))!)).toBe(
      await old.publishedDigest(''),
    );
    // The same events from now on, to each of them its own.
    await old.send(1_000);
    await new Load(next, 7, 8_001).send(1_000);
    await old.learned();
    const books = await next.booksOf(await events(installation));
    expect([unaccounted(books, 'decisions'), unaccounted(books, 'rewards')]).toEqual([0, 0]);
    const wanted = (await old.publishedDigest(''))!;
    expect(await new Load(next, 7).publishedDigest(wanted)).toBe(wanted);
    for (const learner of learners) expect(await learner.stop()).toBe(0);
    await installation.log.admin.deleteTopics(Object.values(next.topics).filter((topic) => topic.endsWith('-2')));
  },
  180_000,
);
