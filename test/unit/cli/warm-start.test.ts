import { beforeEach, expect, test } from 'vitest';
import type { ArmId } from '../../../services/core/events.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import { ExactVector } from '../../../services/core/sums/exact.ts';
import { N, PULLS, SUM_R, SUM_RR, sumsLayout } from '../../../services/core/sums/layout.ts';
import { CliWorld } from '../../support/cli.ts';

const COUPON = `id: coupon
arms: [none, five, "ten, or more"]
policy: { kind: beta-ts }
reward: { metrics: { revenue: { fold: sum } }, min: 0, max: 100 }
attribution: { window: 30d }
`;
const CSV = 'arm,n,sum_reward\r\nfive,1200,31000.5\r\n"ten, or more",800,40000\r\n';

let world: CliWorld;

beforeEach(async () => {
  world = new CliWorld();
  world.files.set('coupon.yaml', COUPON);
  world.files.set('history.csv', CSV);
  await world.run('topics', 'create');
  await world.run('experiments', 'apply', 'coupon.yaml');
});

async function standing(id = 'coupon'): Promise<Experiment> {
  const { experiments } = await world.json<{ experiments: Experiment[] }>('experiments', 'list');
  return experiments.find((one) => one.id === id)!;
}

function warmStart(...args: string[]) {
  return world.run('experiments', 'warm-start', 'coupon', ...args);
}

test('a CSV as spreadsheets write it becomes the prior of the next version', async () => {
  const { stdout, code } = await warmStart('--csv', 'history.csv');
  expect(code).toBe(0);
  expect(stdout).toMatch(/five.*1200.*0\.258337/);
  expect(stdout).toContain('coupon: changed to version 2\n  prior: none → 2000 observations of 2 arms');
  const { version, prior } = await standing();
  expect(version).toBe(2);
  expect(prior).toEqual([
    { armId: 'five', n: 1200, sumR: 310.005, sumRR: 310.005, contextSums: [] },
    { armId: 'ten, or more', n: 800, sumR: 400, sumRR: 400, contextSums: [] },
  ]);
  expect((await world.run('experiments', 'list')).stdout).toContain('2000 observations of 2 arms');
});

test('a dry run prints the same and writes nothing', async () => {
  const { stdout } = await warmStart('--csv', 'history.csv', '--discount', '.5', '--dry-run');
  expect(stdout).toMatch(/five.*600.*0\.258337/);
  expect(stdout).toContain('nothing written');
  expect(await standing()).toMatchObject({ version: 1, prior: [] });
});

test('doing it again changes nothing, a file applied keeps it, --clear ends it', async () => {
  await warmStart('--csv', 'history.csv');
  expect((await warmStart('--csv', 'history.csv')).stdout).toContain('coupon: unchanged, version 2');
  expect((await world.run('experiments', 'apply', 'coupon.yaml')).stdout).toBe('coupon: unchanged, version 2\n');
  await warmStart('--clear');
  expect(await standing()).toMatchObject({ version: 3, prior: [] });
});

test('another experiment’s sums are taken over by arm, each worth the discount', async () => {
  world.files.set('older.yaml', COUPON.replace('id: coupon', 'id: older').replace('max: 100', 'max: 50'));
  await world.run('experiments', 'apply', 'older.yaml');
  await tally('older', { five: [40, 10], none: [10, 1] });
  const { stdout } = await warmStart('--from', 'older', '--discount', '.1');
  expect(stdout).toContain('prior: none → 5 observations of 2 arms');
  const { prior } = await standing();
  // A quarter of 50 is an eighth of 100.
  expect(prior.map(({ armId, n, sumR }) => [armId, n, Number(sumR.toFixed(9))])).toEqual([
    ['none', 1, 0.05],
    ['five', 4, 0.5],
  ]);
});

test.each([
  ['no source', [], 2, 'give either --csv FILE, --from EXPERIMENT or --clear'],
  ['two sources', ['--csv', 'history.csv', '--clear'], 2, 'give either'],
  ['a discount above 1', ['--csv', 'history.csv', '--discount', '2'], 1, 'discount 2, allowed above 0 and at most 1'],
  ['an experiment that is not there', ['--from', 'cupon'], 1, 'did you mean coupon?'],
  ['an experiment that has learned nothing', ['--from', 'coupon'], 1, 'has learned nothing of the arms'],
  ['a file that is not there', ['--csv', 'hist.csv'], 1, 'hist.csv: cannot be read'],
])('is refused with %s', async (_, args, code, problem) => {
  expect(await warmStart(...args)).toMatchObject({ code, stderr: expect.stringContaining(problem) });
  expect(await standing()).toMatchObject({ version: 1 });
});

test.each([
  ['no arm', 'arm,n,sum_reward\n', 'x.csv: no arm in it'],
  ['no head', 'five,12,3\n', 'x.csv:1: column arm is missing, allowed are arm, n, sum_reward and perhaps'],
  ['an unknown column', 'arm,n,sum_reward,mean\nfive,1,1,1\n', 'x.csv:1: column mean is unknown'],
  [
    'a cell that is no number',
    'arm,n,sum_reward\nfive,12,"3,5"\n',
    'x.csv:2: sum_reward is "3,5", allowed is a number',
  ],
  ['a cell too few', 'arm,n,sum_reward\nfive,12\n', 'x.csv:2: Invalid Record Length'],
  ['a quote that does not end', 'arm,n,sum_reward\n"five,12,3\n', 'x.csv:'],
  ['an unknown arm', 'arm,n,sum_reward\nsix,12,3\n', 'experiment coupon has no arm six'],
  [
    'more reward than n rewards can be',
    'arm,n,sum_reward\nfive,2,201\n',
    'add up to 201, allowed for 2 of them is 0 to 200',
  ],
])('a CSV with %s is refused by line and by what is allowed', async (_, text, problem) => {
  world.files.set('x.csv', text);
  expect(await warmStart('--csv', 'x.csv')).toMatchObject({ code: 1, stderr: expect.stringContaining(problem) });
});

/** What a learner would publish. @param learned by arm: n and Σr in [0, 1]. */
async function tally(id: string, learned: Record<string, readonly [n: number, sumR: number]>): Promise<void> {
  const offsets = { decisions: 50, rewards: 50 };
  const sums = new Map(
    Object.entries(learned).map(([arm, [n, sumR]]) => {
      const vector = new ExactVector(sumsLayout(0).size);
      vector.lo[PULLS] = n;
      vector.lo[N] = n;
      vector.lo[SUM_R] = sumR * 2 ** 20;
      const squares = BigInt(sumR) * 2n ** 40n;
      vector.hi[SUM_RR] = Number(squares / 2n ** 40n);
      return [arm as ArmId, vector];
    }),
  );
  const value = world.codecs.tally.encode({
    kind: 'sums',
    experimentId: id as Experiment['id'],
    cohort: 20_000,
    rolledUp: false,
    changedTogether: 1,
    partition: 0,
    partitions: 1,
    offsets,
    clocks: { decisions: world.clock.nowMs, rewards: world.clock.nowMs },
    sums,
  });
  await world.log.writer().append({ topic: world.topics.tallies, partition: 0 }, [{ key: `${id}/0/20000`, value }]);
}
