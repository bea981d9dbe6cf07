import { beforeEach, expect, test } from 'vitest';
import { CliWorld } from '../../support/cli.ts';

const COUPON = `id: coupon
arms: [none, five, ten]
policy: { kind: beta-ts }
reward: { metrics: { revenue: { fold: sum } }, min: 0, max: 100 }
attribution: { window: 30d }
`;

let world: CliWorld;

beforeEach(async () => {
  world = new CliWorld();
  world.files.set('coupon.yaml', COUPON);
  await world.run('topics', 'create');
});

async function versionNow(): Promise<unknown> {
  const { experiments } = await world.json<{ experiments: { version: number }[] }>('experiments', 'list');
  return experiments[0]?.version;
}

test('topics are created once, with their schemas', async () => {
  const fresh = new CliWorld();
  const first = await fresh.json<{ topics: { topic: string; created: boolean }[] }>('topics', 'create');
  expect(first.topics.map(({ topic }) => topic)).toEqual(Object.values(fresh.topics));
  expect(first.topics.every(({ created }) => created)).toBe(true);
  const { stdout } = await fresh.run('topics', 'create');
  expect(stdout).toContain('was there');
  expect(stdout).not.toContain('created');
  expect(stdout).toContain('BACKWARD_TRANSITIVE');
});

test('another partition count than the one that is there is refused', async () => {
  const { code, stderr } = await world.run('topics', 'create', '--partitions', '7');
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('has 4 partitions, wanted are 7') });
});

test('applying a file defines the experiment, applying it again changes nothing', async () => {
  expect((await world.run('experiments', 'apply', 'coupon.yaml')).stdout).toBe('coupon: created, version 1\n');
  expect((await world.run('experiments', 'apply', 'coupon.yaml')).stdout).toBe('coupon: unchanged, version 1\n');
  const { stdout } = await world.run('experiments', 'list');
  expect(stdout).toMatch(/coupon.*1.*active.*beta-ts.*3.*sum of revenue.*30d.*2026-01-01T00:00:00\.000Z/);
});

test('a definition that a policy cannot work with is refused before it is written', async () => {
  const split = COUPON.replace('beta-ts', 'fixed-split').replace('none,', '{ id: none, attributes: { share: -0.5 } },');
  world.files.set('coupon.yaml', split);
  expect(await world.run('experiments', 'apply', 'coupon.yaml')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'coupon.yaml: experiment coupon: policy fixed-split: arm none has the attribute share -0.5, allowed 0 to 1000000',
    ),
  });
  expect(await versionNow()).toBeUndefined();
});

test('a change says what it changes, arms that are left out are retired', async () => {
  await world.run('experiments', 'apply', 'coupon.yaml');
  world.files.set(
    'coupon.yaml',
    `${COUPON.replace('[none, five, ten]', '[none, ten, twenty]')}floor: 0.05\nslots: 2\nholdout: { share: 0.1, arm: ten }\n`,
  );
  expect((await world.run('experiments', 'apply', 'coupon.yaml')).stdout).toBe(
    [
      'coupon: changed to version 2',
      '  floor: 0.01 → 0.05',
      '  slots: 1 → 2',
      '  holdout: none → 0.1 of the units, on ten',
      '  arm five: active → retired',
      '  arm twenty: new, active',
      '',
    ].join('\n'),
  );
  expect((await world.run('experiments', 'list')).stdout).toContain('3 and 1 retired');
});

test('a change that would falsify the sums is refused and nothing is written', async () => {
  await world.run('experiments', 'apply', 'coupon.yaml');
  world.files.set('coupon.yaml', COUPON.replace('max: 100', 'max: 200'));
  const { code, stderr } = await world.run('experiments', 'apply', 'coupon.yaml');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^experiment-change: experiment coupon: reward cannot change from/);
  expect(await versionNow()).toBe(1);
});

test('a wrong file is refused with file, line and column, and the right one beside it is not applied', async () => {
  world.files.set(
    'wrong.yaml',
    `${COUPON.replace('id: coupon', 'id: other').replace('beta-ts', 'beta-tss')}flor: 0.1\n`,
  );
  const { code, stderr } = await world.run('experiments', 'apply', 'coupon.yaml', 'wrong.yaml');
  expect(code).toBe(1);
  expect(stderr).toContain('wrong.yaml:3:17: policy.kind: "beta-tss", unknown policy, did you mean beta-ts?');
  expect(stderr).toContain('wrong.yaml:6:1: flor, unknown key, did you mean floor?');
  expect(await versionNow()).toBeUndefined();
});

test.each([
  ['a policy that needs a context without one', COUPON.replace('beta-ts', 'linucb'), 'none is declared'],
  ['the same id in two files', COUPON, 'b.yaml: experiment coupon is also defined in coupon.yaml'],
])('%s is refused', async (_, text, message) => {
  world.files.set('b.yaml', text);
  const { code, stderr } = await world.run('experiments', 'apply', 'coupon.yaml', 'b.yaml');
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(message) });
});

test('a file that is not there is named', async () => {
  expect((await world.run('experiments', 'apply', 'nowhere.yaml')).stderr).toMatch(
    /^file: nowhere\.yaml: cannot be read/,
  );
});

test('deleting wants a yes, and is a version that a later file takes back', async () => {
  await world.run('experiments', 'apply', 'coupon.yaml');
  expect(await world.run('experiments', 'delete', 'coupon')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--yes'),
  });
  expect((await world.run('experiments', 'delete', 'coupon', '--yes')).stdout).toBe('coupon: deleted with version 2\n');
  expect((await world.run('experiments', 'apply', 'coupon.yaml')).stdout).toBe(
    'coupon: changed to version 3\n  state: deleted → active\n',
  );
});

test('each version keeps when the earlier ones were applied', async () => {
  const [first, second] = [world.clock.nowMs, world.clock.nowMs + 1_000];
  await world.run('experiments', 'apply', 'coupon.yaml');
  world.clock.nowMs = second;
  await world.run('experiments', 'delete', 'coupon', '--yes');
  const { experiments } = await world.json<{ experiments: unknown[] }>('experiments', 'list');
  expect(experiments).toMatchObject([{ id: 'coupon', state: 'deleted', appliedAtMs: [first, second] }]);
});
