import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, get, post } from '../support/decider.ts';
import { Installation, type RunningProcess } from '../support/installation.ts';

const EXPERIMENT = 'home-banner';
const ARMS = ['summer', 'autumn', 'plain'];
const NOWHERE = { KAFKA_BROKERS: '127.0.0.1:1', SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' };
const WAIT = { timeout: 20_000 };

let installation: Installation;
let learner: RunningProcess;

beforeAll(async () => {
  const experiments = [`deploy/examples/${EXPERIMENT}.yaml`];
  installation = await Installation.create({ name: 'decider', partitions: 4, experiments });
  learner = await installation.startLearner();
});

afterAll(() => installation?.close());

describe("the growth team's endpoints, asked with curl", () => {
  let port: number;

  beforeAll(async () => {
    ({ httpPort: port } = await installation.startDecider());
  });

  test('select_arm, update_reward and stats tell one story', async () => {
    const selected = await curl(port, '/select_arm', { exp_id: EXPERIMENT, user_id: 'ada', context: {} });
    expect(selected).toEqual({
      status: 200,
      body: {
        status: 'success',
        exp_id: EXPERIMENT,
        user_id: 'ada',
        selected_arm: expect.toBeOneOf([0, 1, 2]),
        strategy_id: ARMS[selected.body.selected_arm],
        decision_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/),
        propensity: expect.closeTo(1 / 3, 12),
        slots: [
          {
            arm: selected.body.selected_arm,
            strategy_id: selected.body.strategy_id,
            propensity: selected.body.propensity,
          },
        ],
        debug: {
          scores: [expect.any(Number), expect.any(Number), expect.any(Number)],
          counts: [0, 0, 0],
          values: [null, null, null],
        },
      },
    });
    const { selected_arm: arm, decision_id, strategy_id } = selected.body;
    const told = { exp_id: EXPERIMENT, user_id: 'ada', arm, reward: 1, context: {}, decision_id };
    expect(await curl(port, '/update_reward', told)).toEqual({
      status: 200,
      body: {
        status: 'success',
        exp_id: EXPERIMENT,
        user_id: 'ada',
        updated_arm: arm,
        strategy_id,
        reward: 1,
        reward_id: expect.any(String),
      },
    });
    const learned = (value: number | null, other: number | null) =>
      ARMS.map((_, index) => (index === arm ? value : other));
    const stats = {
      exp_id: EXPERIMENT,
      algorithm: 'beta-ts',
      total_pulls: 1,
      best_arm: arm,
      arm_counts: learned(1, 0),
      arm_values: learned(1, null),
      holdout: null,
    };
    const asked = `/stats?exp_id=${EXPERIMENT}&algorithm=beta-ts`;
    await expect.poll(() => curl(port, asked), WAIT).toEqual({ status: 200, body: stats });
    expect(await curl(port, '/stats')).toEqual({ status: 200, body: { experiments: [stats] } });
  });

  test('health, readiness and metrics are there', async () => {
    expect(await curl(port, '/health')).toEqual({
      status: 200,
      body: { status: 'ok', timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) },
    });
    expect(await curl(port, '/ready')).toMatchObject({ status: 200, body: { ready: true, origin: 'log' } });
    const { body: before } = await curl(port, '/metrics');
    await curl(port, '/select_arm', { exp_id: EXPERIMENT, user_id: 'grace' });
    await curl(port, '/update_reward', { exp_id: EXPERIMENT, user_id: 'grace', arm: 0, reward: 0.25 });
    const { status, body: after } = await curl(port, '/metrics');
    expect(status).toBe(200);
    const risen = (name: string) => sumOf(after, name) - sumOf(before, name);
    const labels = `experiment="${EXPERIMENT}",algorithm="beta-ts"`;
    expect(after).toMatch(new RegExp(`^mab_decisions_total\\{${labels},arm="(${ARMS.join('|')})"`, 'm'));
    expect(risen('mab_decisions_total')).toBe(1);
    expect(after).toMatch(new RegExp(`^mab_cumulative_regret\\{${labels}`, 'm'));
    expect(after).toMatch(new RegExp(`^mab_reward_distribution_bucket\\{[^}]*${labels}`, 'm'));
    expect(risen('mab_reward_distribution_count')).toBe(1);
    expect(risen('mab_reward_distribution_sum')).toBe(0.25);
  });

  test.each([
    [
      'a context of 5 MB',
      '/select_arm',
      { exp_id: EXPERIMENT, user_id: 'u', context: { x: 'x'.repeat(5_000_000) } },
      413,
      'too-large',
    ],
    ['an unknown experiment', '/select_arm', { exp_id: 'none', user_id: 'u' }, 404, 'unknown-experiment'],
    ['the statistics of an unknown experiment', '/stats?exp_id=none', undefined, 404, 'unknown-experiment'],
    ['an experiment named __proto__', '/select_arm', { exp_id: '__proto__', user_id: 'u' }, 404, 'unknown-experiment'],
    [
      'an algorithm named __proto__',
      '/select_arm',
      { exp_id: EXPERIMENT, user_id: 'u', algorithm: '__proto__' },
      400,
      'algorithm-unknown',
    ],
    [
      'an arm named __proto__',
      '/update_reward',
      { exp_id: EXPERIMENT, user_id: 'u', arm: '__proto__', reward: 1 },
      400,
      'arm-unknown',
    ],
    ['a body that is no JSON', '/select_arm', '{"exp_id":', 400, 'malformed'],
    [
      'an object for a value of the context',
      '/select_arm',
      `{"exp_id":"${EXPERIMENT}","user_id":"u","context":{"__proto__":{"admin":true}}}`,
      400,
      'context',
    ],
  ])('%s is refused by code, and the next caller is served', async (_what, path, body, status, code) => {
    expect(await curl(port, path, body)).toEqual({
      status,
      body: { status: 'error', code, message: expect.any(String) },
    });
    const next = `{"exp_id":"${EXPERIMENT}","user_id":"__proto__","context":{"__proto__":1,"constructor":"x"}}`;
    expect(await curl(port, '/select_arm', next)).toMatchObject({ status: 200, body: { user_id: '__proto__' } });
  });
});

test('a decider that starts while Kafka and the registry are away serves the last good snapshot from Redis', async () => {
  const REDIS_URL = redisUrl();
  const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);
  try {
    const before = await installation.startDecider({ REDIS_URL });
    const bea = { exp_id: EXPERIMENT, user_id: 'bea' };
    const { decision_id } = (await post(before.httpPort, '/select_arm', bea)).body;
    const told = await post(before.httpPort, '/update_reward', { ...bea, reward: 1, decision_id });
    expect(told).toMatchObject({ status: 200 });
    const bestArm = async () => (await get(before.httpPort, '/stats')).body.experiments[0].best_arm;
    await expect.poll(bestArm, WAIT).not.toBeNull();
    // With the learner stopped and its last snapshot read, none comes between the two deciders.
    await learner.stop();
    const published = await installation.recordsOf(installation.topics.snapshots);
    const newest = published.findLast(({ value }) => value !== null)!;
    const { version } = installation.codecs.snapshot.decode(newest.value!);
    const held = async () => sumOf((await get(before.httpPort, '/metrics')).body, 'croupier_decider_snapshot_version');
    await expect.poll(held, WAIT).toBe(version);
    const served = await decide(before.httpPort, users);
    expect(await before.stop()).toBe(0);

    const settings = { CROUPIER_DECIDER_LOG_WAIT: '100ms', CROUPIER_DECIDER_DRAIN_TIMEOUT: '100ms' };
    const after = await installation.startDecider({ REDIS_URL, ...NOWHERE, ...settings });
    expect(after.ready).toMatchObject({
      status: 200,
      body: { status: 'ready', origin: 'mirror', why: expect.stringMatching(/log does not answer.*mirror/) },
    });
    expect(after.ready.body.oldestSnapshotAgeMs).toBeGreaterThan(0);
    const again = await decide(after.httpPort, users);
    expect(again).toEqual(served);
    expect(again[0]).toMatchObject({
      reason: 'DECISION_REASON_BANDIT',
      snapshotVersion: String(version),
    });
    await after.stop();
  } finally {
    await forget(REDIS_URL);
  }
});

/** What was decided for each user, without what differs by the moment. */
async function decide(port: number, users: readonly string[]): Promise<unknown[]> {
  const requests = users.map((unitId) => ({ experimentId: EXPERIMENT, unitId }));
  const { body } = await post(port, '/v1/decide-batch', { requests });
  return body.results.map(({ decision }: { decision: Record<string, unknown> }) => {
    const { decisionId: _id, decidedAtMs: _time, ...rest } = decision;
    return rest;
  });
}

/** @param body sent by POST, text as it is; without one it is a GET. */
async function curl(port: number, path: string, body?: unknown): Promise<Answer> {
  const send = ['--header', 'content-type: application/json', '--data-binary', '@-'];
  const address = `http://127.0.0.1:${port}${path}`;
  const options = ['--silent', '--show-error', '--max-time', '20', '--write-out', '\n%{http_code}'];
  const child = spawn('curl', [...options, ...(body === undefined ? [] : send), address]);
  // A server that refuses a large body need not read it to its end.
  child.stdin.on('error', () => {});
  child.stdin.end(typeof body === 'string' ? body : JSON.stringify(body ?? ''));
  const [printed, complaint] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const at = printed.lastIndexOf('\n');
  if (child.exitCode !== 0) throw new Error(`curl ${address}: ${complaint}`);
  const answer = printed.slice(0, at);
  return { status: Number(printed.slice(at + 1)), body: answer.startsWith('{') ? JSON.parse(answer) : answer };
}

/** Over all its labels. */
function sumOf(metrics: string, name: string): number {
  const lines = metrics.split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

function redisUrl(): string {
  const url = process.env.REDIS_URL;
  if (url === undefined || url === '') {
    throw new Error('REDIS_URL is not set: run `npm run stack -- up`, or give the address of a Redis');
  }
  return url;
}

async function forget(url: string): Promise<void> {
  const redis = new Redis(url);
  const keys = await redis.keys(`croupier:${installation.prefix}*`);
  if (keys.length > 0) await redis.del(keys);
  redis.disconnect();
}
