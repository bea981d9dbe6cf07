import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, expect, test, vi } from 'vitest';
import { CHECKOUT } from '../../deploy/local/ensure.ts';
import { EmbeddedLog } from '../../services/platform/embedded/log.ts';
import { CliWorld } from '../support/cli.ts';
import { startTestDecider } from '../support/decider.ts';
import { World } from '../support/world.ts';

const FILE = `id: coupon
arms: [none, five, ten]
policy: { kind: beta-ts }
context: [{ name: plan, kind: category, values: [free, paid] }]
reward: { metrics: { revenue: { fold: sum } }, min: 0, max: 100 }
attribution: { window: 50ms }
`;

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

test('define, decide, reward, stats and explain, with a learner and a decider that run', async () => {
  const world = await World.create();
  if (!(world.log instanceof EmbeddedLog)) throw new Error('the test world has another log');
  const cli = new CliWorld(world.log);
  cli.fetch = fetch;
  cli.files.set('coupon.yaml', FILE);
  await cli.run('experiments', 'apply', 'coupon.yaml');
  // Its first snapshot is on the log before the decider starts.
  await (await world.learner()).stop();
  const learner = await world.learner();
  stops.push(() => learner.stop());
  const decider = await startTestDecider(world);
  stops.push(() => decider.stop());
  cli.environment = { CROUPIER_DECIDER_URL: `http://127.0.0.1:${decider.httpPort}` };

  await decider.caughtUp;
  const dealt = await cli.json<{ decision_id: string; strategy_id: string; selected_arm: number; propensity: number }>(
    ...['decide', 'coupon', '--user', 'u1', '--context', 'plan=paid'],
  );
  await cli.json('reward', 'coupon', '--user', 'u1', '--value', '25', '--decision', dealt.decision_id);
  await vi.waitUntil(() =>
    decider.decider.stats('coupon', null).armValues.some((value) => value !== null && value > 0),
  );

  const { arm_values } = await cli.json<{ arm_values: (number | null)[] }>('stats', 'coupon');
  expect(arm_values[dealt.selected_arm]).toBeCloseTo(25, 3);
  expect((await cli.run('stats')).stdout).toMatch(/coupon.*beta-ts.*1/);

  const explained = await cli.json<{
    slots: { arms: { armId: string; probability: number; dealt: boolean }[] }[];
  }>(...['explain', dealt.decision_id]);
  expect(explained).toMatchObject({ agrees: true, context: [{ name: 'plan', value: 'paid' }] });
  expect(explained.slots[0]!.arms.find((arm) => arm.dealt)).toMatchObject({
    armId: dealt.strategy_id,
    probability: dealt.propensity,
  });

  const refused = await cli.run('decide', 'cuopon', '--user', 'u1');
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/^unknown-experiment: /) });
  const context = await cli.run('decide', 'coupon', '--user', 'u1');
  expect(context).toMatchObject({ code: 1, stderr: expect.stringMatching(/^context: .*plan is missing/) });
});

test.each([[''], ['replay'], ['simulate']])(
  'nobody reads on: `croupier %s --help | head` ends without a word',
  async (command) => {
    const piped = `${process.execPath} services/cli/main.ts ${command} --help | head -n 1`;
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', piped], { cwd: CHECKOUT });
    expect(stdout).toMatch(/^Usage: croupier/);
    expect(stderr).toBe('');
  },
);
