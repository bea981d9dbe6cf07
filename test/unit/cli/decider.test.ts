import { expect, test } from 'vitest';
import { parseContext } from '../../../services/cli/commands/decider.ts';
import { CliWorld } from '../../support/cli.ts';

const ANSWER = {
  status: 'success',
  exp_id: 'coupon',
  user_id: '42',
  selected_arm: 1,
  strategy_id: 'five',
  decision_id: 'd-1',
  propensity: 0.4375,
  slots: [{ arm: 1, strategy_id: 'five', propensity: 0.4375 }],
  debug: { scores: [0.1, 0.2], counts: [3, 4], values: [0.5, null] },
};

test('decide asks the decider with a typed context and shows arm, propensity and decision', async () => {
  const world = new CliWorld();
  let asked: unknown;
  world.answers.set('POST /select_arm', (body) => {
    asked = body;
    return { body: ANSWER };
  });
  const context = ['--context', 'age=31', 'plan=free', 'new=true', 'code="5"'];
  const { stdout } = await world.run('decide', 'coupon', '--user', '42', ...context);
  expect(asked).toEqual({ exp_id: 'coupon', user_id: '42', context: { age: 31, plan: 'free', new: true, code: '5' } });
  for (const shown of ['five (index 1)', '0.4375', 'd-1', '0.2']) expect(stdout).toContain(shown);
  expect(await world.json('decide', 'coupon', '--user', '42')).toEqual(ANSWER);
});

test('decide asks for slots and shows each', async () => {
  const world = new CliWorld();
  let asked: unknown;
  const slots = [...ANSWER.slots, { arm: 0, strategy_id: 'none', propensity: 0.625 }];
  world.answers.set('POST /select_arm', (body) => {
    asked = body;
    return { body: { ...ANSWER, slots } };
  });
  const { stdout } = await world.run('decide', 'coupon', '--user', '42', '--slots', '2');
  expect(asked).toMatchObject({ slots: 2 });
  for (const shown of ['five (index 1)', '0.4375', 'none (index 0)', '0.625']) expect(stdout).toContain(shown);
});

test('reward names the decision when it is given', async () => {
  const world = new CliWorld();
  let asked: unknown;
  world.answers.set('POST /update_reward', (body) => {
    asked = body;
    return { body: { status: 'success' } };
  });
  const args = ['reward', 'coupon', '--user', '42', '--value', '-1.5', '--decision', 'd-1', '--arm', '1'];
  expect(await world.run(...args)).toMatchObject({ code: 0, stdout: expect.stringContaining('decision d-1') });
  expect(asked).toEqual({ exp_id: 'coupon', user_id: '42', reward: -1.5, decision_id: 'd-1', arm: 1 });
});

test('the token of the decider goes with every request', async () => {
  const world = new CliWorld();
  const seen: unknown[] = [];
  world.answers.set('GET /stats', (_body, headers) => {
    seen.push(headers.get('authorization'));
    return { body: { experiments: [] } };
  });
  await world.run('stats', '--decider-token', 'hush');
  await world.run('stats');
  expect(seen).toEqual(['Bearer hush', null]);
});

test('stats shows one experiment arm by arm, or all', async () => {
  const world = new CliWorld();
  const one = {
    exp_id: 'coupon',
    algorithm: 'ucb1',
    total_pulls: 7,
    best_arm: 1,
    arm_counts: [3, 4],
    arm_values: [39.999961853027344, null],
    holdout: {
      held_out: { pulls: 2, counted: 1, value: 20 },
      others: { pulls: 7, counted: 5, value: 40 },
    },
  };
  world.answers.set('GET /stats?exp_id=coupon&algorithm=ucb1', () => ({ body: one }));
  world.answers.set('GET /stats', () => ({ body: { experiments: [one] } }));
  expect((await world.run('stats', 'coupon', '--algorithm', 'ucb1')).stdout).toContain(
    'coupon by ucb1: 7 pulls, best arm 1',
  );
  expect((await world.run('stats')).stdout).toMatch(/coupon.*ucb1.*7.*1/);
  expect((await world.run('stats', 'coupon', '--algorithm', 'ucb1')).stdout).toMatch(
    /│ +0 │ +3 │ +40 +│\n│ +1 │ +4 │ - +│/,
  );
  expect((await world.run('stats', 'coupon', '--algorithm', 'ucb1')).stdout).toMatch(
    /│ held out +│ +2 +│ +1 +│ +20 +│\n│ all others +│ +7 +│ +5 +│ +40 +│/,
  );
});

test('a refusal is told with its code', async () => {
  const world = new CliWorld();
  world.answers.set('GET /stats?exp_id=cuopon', () => ({
    status: 404,
    body: { status: 'error', code: 'unknown-experiment', message: 'experiment cuopon is not defined' },
  }));
  expect(await world.run('stats', 'cuopon')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'unknown-experiment: experiment cuopon is not defined\n',
  });
});

test('a decider that is away, or no decider at all, is told with its address', async () => {
  const world = new CliWorld();
  world.environment = { CROUPIER_DECIDER_URL: 'http://decider.test:1' };
  expect((await world.run('stats')).stderr).toMatch(
    /^decider-unavailable: the decider at http:\/\/decider\.test:1 .*ECONNREFUSED/,
  );
  world.answers.set('GET /stats', () => ({ body: '<html>' }));
  expect((await world.run('stats')).stderr).toMatch(/^decider-answer: .*not JSON/);
  world.answers.set('GET /stats', () => ({ body: { hello: 'world' } }));
  expect((await world.run('stats')).stderr).toMatch(/^decider-answer: /);
});

test.each([
  ['a=1e3', { a: 1000 }],
  ['a=-0.5', { a: -0.5 }],
  ['a=2026-01-01', { a: '2026-01-01' }],
  ['a=', { a: '' }],
  ['a=b=c', { a: 'b=c' }],
  ['a="x y"', { a: 'x y' }],
  ['a=[1]', { a: '[1]' }],
  ['a=null', { a: 'null' }],
])('a context of %s is %j', (pair, value) => {
  expect(parseContext([pair])).toEqual(value);
});

test('a context without a name is refused', () => {
  expect(() => parseContext(['=1'])).toThrow('name=value');
});
