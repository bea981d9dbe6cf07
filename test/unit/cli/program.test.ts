import { expect, test } from 'vitest';
import { CliWorld } from '../../support/cli.ts';

const COMMANDS = [
  ['topics', 'create'],
  ['experiments', 'apply'],
  ['experiments', 'list'],
  ['experiments', 'delete'],
  ['decide'],
  ['reward'],
  ['stats'],
  ['explain'],
];

test.each(COMMANDS)('%s %s explains itself and every one of its options', async (...command) => {
  const { code, stdout } = await new CliWorld().run(...command, '--help');
  expect(code).toBe(0);
  for (const line of stdout.split('\n').filter((text) => /^ {2}--?\w/.test(text))) {
    expect(line, `an option of ${command.join(' ')} without help`).toMatch(/^ {2}-\S+( \S+|, \S+)*(\s{2,}\S|$)/);
  }
  expect(stdout).toContain('env KAFKA_BROKERS');
});

test('the help shows examples, the version is the one of the package', async () => {
  const world = new CliWorld();
  expect((await world.run('--help')).stdout).toContain('croupier experiments apply coupon.yaml');
  expect(await world.run('--version')).toMatchObject({ code: 0, stdout: '0.0.0-test\n' });
});

test.each([
  [['experimens', 'list'], 'Did you mean experiments?'],
  [['decide', 'coupon'], "required option '--user <id>' not specified"],
  [['reward', 'coupon', '--user', 'u', '--value', 'much'], 'Allowed is a finite number'],
  [['topics', 'create', '--partitions', '0'], 'whole number from 1 to 10000'],
  [['topics', 'create', '--kafka-tls', 'perhaps'], 'config: --kafka-tls: "perhaps", allowed is true or false'],
])('wrong use, %j, is told and exits with 2', async (args, message) => {
  const { code, stdout, stderr } = await new CliWorld().run(...args);
  expect(stderr).toContain(message);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test('an error is one line; --verbose adds where it comes from', async () => {
  const world = new CliWorld();
  expect(await world.run('experiments', 'list')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^unknown-topic: .*experiments.*\n$/),
  });
  expect((await world.run('experiments', 'list', '--verbose')).stderr).toMatch(/\n\s+at /);
});

test('replay gets what it was given and its exit code is ours', async () => {
  const world = new CliWorld();
  const { code } = await world.run('--prefix', 'staging.', 'replay', '--from', '2026-01-01', '--json', '--help');
  expect(code).toBe(3);
  expect(world.replays[0]).toEqual(expect.arrayContaining(['--prefix', 'staging.', '--from', '2026-01-01', '--help']));
  expect(world.replays[0]).toContain('--json');
});

test('simulate gets what stands after it, as it stands, and its exit code is ours', async () => {
  const world = new CliWorld();
  const given = ['--env', 'growth-balanced', '--json', 'out.json', '--seeds=2', '--help'];
  expect((await world.run('simulate', ...given)).code).toBe(4);
  expect(world.simulations).toEqual([given]);
});
