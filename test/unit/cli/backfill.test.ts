import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openHistory } from '../../../services/cli/history.ts';
import type { Decision, Reward } from '../../../services/core/events.ts';
import { openRows } from '../../../services/platform/files/rows.ts';
import { readToEnd, startOf } from '../../../services/platform/log/read-to-end.ts';
import { CliWorld } from '../../support/cli.ts';
import { LIMITS } from '../../support/core.ts';

const COUPON = `id: coupon
arms: [none, five, ten]
policy: { kind: beta-ts }
reward: { metrics: { revenue: { fold: sum } }, min: 0, max: 100 }
attribution: { window: 30d }
slots: 2
`;
const PUSH = `id: push
arms: [a, b]
policy: { kind: linucb }
context:
  - { name: age, kind: number, mean: 40, scale: 10 }
  - { name: returning, kind: boolean }
  - { name: plan, kind: category, values: [free, paid] }
reward: { metrics: { clicks: { fold: max } }, min: 0, max: 1 }
attribution: { window: 1d }
`;
const ONLY_COUPON = ['--set', 'experiment=coupon'];

let world: CliWorld;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-backfill-'));
  world = new CliWorld();
  world.files.set('coupon.yaml', COUPON);
  world.files.set('push.yaml', PUSH);
  await world.run('topics', 'create');
  await world.run('experiments', 'apply', 'coupon.yaml', 'push.yaml');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function file(name: string, ...lines: string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

async function appended<T>(topic: string, decode: (value: Buffer) => T): Promise<T[]> {
  const values: T[] = [];
  for await (const { records } of readToEnd(world.log, await startOf(world.log, topic))) {
    for (const { value } of records) values.push(decode(value!));
  }
  return values;
}

const decisions = (): Promise<Decision[]> => appended(world.topics.decisions, world.codecs.decision.decode);
const rewards = (): Promise<Reward[]> => appended(world.topics.rewards, world.codecs.reward.decode);

describe('decisions', () => {
  test('become what a decider would have logged, as of the present definition', async () => {
    const path = await file(
      'push.ndjson',
      '{"experiment":"push","user_id":7,"ts":"2025-03-01T10:00:00Z","action":"b","prob":0.25,"age":60,"context":{"returning":1,"plan":"paid"}}',
    );
    await world.json('backfill', 'decisions', path);
    const [only, ...others] = await decisions();
    expect(others).toEqual([]);
    expect(only).toEqual({
      decisionId: expect.stringMatching(/^history-[\w-]{22}$/),
      experimentId: 'push',
      experimentVersion: 1,
      unitId: '7',
      slots: [{ armId: 'b', propensity: 0.25 }],
      reason: 'bandit',
      policy: 'history',
      snapshotVersion: 0,
      pendingExposures: 0,
      features: [1, 2, 1, 0, 1],
      decidedAtMs: Date.UTC(2025, 2, 1, 10),
    });
  });

  test('of several slots are lists of arms and propensities', async () => {
    const path = await file(
      'two.ndjson',
      '{"unit":"u","time":1740000000,"arm":["ten","five"],"propensity":[0.5,0.25],"id":"d1","policy":"ours","reason":"forced"}',
    );
    await world.json('backfill', 'decisions', path, ...ONLY_COUPON);
    expect(await decisions()).toMatchObject([
      {
        decisionId: 'd1',
        slots: [
          { armId: 'ten', propensity: 0.5 },
          { armId: 'five', propensity: 0.25 },
        ],
        policy: 'ours',
        reason: 'forced',
      },
    ]);
  });

  test('that one row in a hundred spoils are told by line, and nothing is appended', async () => {
    const path = await file(
      'bad.csv',
      'unit,time,arm,propensity',
      'u,2025-01-01,five,0.5',
      'u,yesterday,five,0.5',
      'u,2025-01-02,six,0.5',
      'u,2025-01-02,five,1.5',
      ',2025-01-02,five,0.5',
      'u,2025-01-02',
      'u,2026-01-02,five,0.5',
      'u,2025-01-02,five,0.5',
    );
    const { code, stdout } = await world.run('backfill', 'decisions', path, ...ONLY_COUPON);
    expect(code).toBe(1);
    expect(stdout).toContain('bad.csv:3: time-range: time is "yesterday"');
    expect(stdout).toContain('bad.csv:4: unknown-arm: ');
    expect(stdout).toContain('bad.csv:5: propensity-range: propensity 1.5');
    expect(stdout).toContain('bad.csv:6: missing: unit is missing; looked for in unit, unitId');
    expect(stdout).toContain('bad.csv:7: unreadable-row: 2 cells, allowed are 4');
    expect(stdout).toContain('bad.csv:8: time-range: time is 2026-01-02T00:00:00.000Z, which is still to come');
    expect(stdout).toContain('nothing appended: mend the refused rows, or leave them out with --skip-refused');
    expect(await decisions()).toEqual([]);

    const data = await world.json('backfill', 'decisions', path, ...ONLY_COUPON, '--skip-refused');
    const refused = { 'time-range': 2, 'unknown-arm': 1, 'propensity-range': 1, missing: 1, 'unreadable-row': 1 };
    expect(data).toMatchObject({ rows: 8, good: 2, appended: 2, refused, problem: null });
    expect(await decisions()).toHaveLength(2);
  });

  test('must come in order of time, over all files, or be sorted', async () => {
    const head = 'unit,time,arm,propensity';
    const later = await file('later.csv', head, 'u,2025-02-01,five,1', 'v,2025-02-02,five,1');
    const earlier = await file('earlier.csv', head, 'u,2025-01-01,ten,1', 'v,2025-02-01,ten,1');
    const { code, stdout } = await world.run('backfill', 'decisions', later, earlier, ...ONLY_COUPON);
    expect([code, stdout]).toEqual([1, expect.stringContaining('nothing appended: time goes back at ')]);
    expect(stdout).toContain('earlier.csv:2: sort the files by time');
    expect(await decisions()).toEqual([]);
    await world.json('backfill', 'decisions', later, earlier, ...ONLY_COUPON, '--sort');
    const byUnit = Map.groupBy(await decisions(), ({ unitId }) => unitId as string);
    for (const unit of ['u', 'v']) {
      expect(byUnit.get(unit)!.map(({ slots }) => slots[0]!.armId)).toEqual(['ten', 'five']);
    }
  });

  test('beyond what is learned of a unit in one span are refused, whatever their times', async () => {
    const lines = Array.from({ length: 4 }, (_, day) => `${day < 3 ? 'busy' : 'calm'},2025-01-0${day + 1},five,1`);
    const path = await file('busy.csv', 'unit,time,arm,propensity', ...lines);
    const args = ['backfill', 'decisions', path, ...ONLY_COUPON, '--join-unit-events', '2', '--skip-refused'];
    const { refusals, ...data } = await world.json<{ refusals: unknown }>(...args);
    expect(data).toMatchObject({ rows: 4, appended: 3, refused: { crowded: 1 } });
    expect(refusals).toEqual([{ at: `${path}:4`, reason: 'crowded', message: expect.stringContaining('unit busy') }]);
  });

  test('a dry run tells the same and appends nothing', async () => {
    const path = await file('a.csv', 'user,timestamp,variant,p', 'u,2025-01-01,five,0.5', 'u,2025-01-01,five,0.5');
    const { code, stdout } = await world.run(
      ...['backfill', 'decisions', path, ...ONLY_COUPON, '--map', 'propensity=p', '--dry-run'],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/appended .*0 .*\n.*good, not appended .*2 /);
    expect(stdout).toMatch(/propensity .* p .*\n/);
    expect(stdout).toContain('1 of them repeat the id of another, or say the same: each is learned once');
    expect(stdout).toContain('nothing appended: a dry run');
    expect(await decisions()).toEqual([]);
  });
});

test('decisions that live ones may stand before on the log are told', async () => {
  const path = await file('a.csv', 'unit,time,arm,propensity', 'u,2025-12-31,five,1', 'u,2026-01-01,five,1');
  const { stdout } = await world.run('backfill', 'decisions', path, ...ONLY_COUPON, '--dry-run');
  expect(stdout).toContain('1 of them were made when the experiment was defined already');
});

describe('rewards', () => {
  test('take their metric from the experiment, and come in any order', async () => {
    const path = await file('r.csv', 'user_id,ts,amount', 'u,2025-01-02,12.5', 'u,2025-01-01,3');
    await world.json('backfill', 'rewards', path, ...ONLY_COUPON);
    expect(await rewards()).toMatchObject([
      { unitId: 'u', metric: 'revenue', value: 12.5, experimentId: 'coupon', decisionId: null, revision: 0 },
      { unitId: 'u', metric: 'revenue', value: 3, experimentId: 'coupon', armId: null },
    ]);
  });

  test('may name decision, arm, id and revision, and need no experiment', async () => {
    const row = {
      unit: 'u',
      time: 1735700000000,
      value: 1,
      metric: 'clicks',
      decision: 'd',
      arm: 'x',
      id: 'r',
      revision: 2,
    };
    await world.json('backfill', 'rewards', await file('r.jsonl', JSON.stringify(row)));
    expect(await rewards()).toEqual([
      {
        ...{ rewardId: 'r', revision: 2, unitId: 'u', metric: 'clicks', value: 1, occurredAtMs: 1735700000000 },
        ...{ decisionId: 'd', experimentId: null, armId: 'x' },
      },
    ]);
  });

  test.each([
    [
      'an experiment that is not there',
      { experiment: 'cupon' },
      'unknown-experiment: "cupon": unknown experiment, did',
    ],
    ['a metric that nothing learns', { metric: 'revenu' }, 'unknown-metric: "revenu": unknown metric, did you mean'],
    ['an arm that the experiment lacks', { experiment: 'coupon', arm: 'six' }, 'unknown-arm: "six"'],
    ['no metric and no experiment', {}, 'missing: metric is missing'],
    ['no value', { metric: 'revenue', value: null }, 'missing: value is missing'],
    ['a revision that is no whole number', { metric: 'revenue', revision: 1.5 }, 'number-range: revision 1.5'],
  ])('with %s are refused', async (_, row, problem) => {
    const path = await file('r.ndjson', JSON.stringify({ unit: 'u', time: '2025-01-01', value: 1, ...row }));
    const { code, stdout } = await world.run('backfill', 'rewards', path);
    expect([code, stdout]).toEqual([1, expect.stringContaining(`r.ndjson:1: ${problem}`)]);
    expect(await rewards()).toEqual([]);
  });
});

describe('a position', () => {
  const HEAD = 'unit,time,arm,propensity';
  const rows = Array.from({ length: 6_000 }, (_, i) => `u${i},${1_700_000_000 + i},five,0.5`);

  test('says how far a backfill had come when it was ended, and the next goes on from there', async () => {
    const path = await file('h.csv', HEAD, ...rows);
    const position = join(folder, 'position.json');
    const args = ['backfill', 'decisions', path, ...ONLY_COUPON, '--position', position];
    const failing = Object.assign(new Error('the power went'), { name: 'Error' });
    world.afterPosition = () => {
      throw failing;
    };
    expect(await world.run(...args)).toMatchObject({ code: 1, stderr: 'unexpected: the power went\n' });
    expect(JSON.parse(await readFile(position, 'utf8'))).toMatchObject({ appended: 5_000 });
    world.afterPosition = () => {};
    expect(await world.json(...args)).toMatchObject({ rows: 6_000, appended: 1_000, appendedBefore: 5_000 });
    const ids = (await decisions()).map(({ decisionId }) => decisionId);
    expect([ids.length, new Set(ids).size]).toEqual([6_000, 6_000]);
    expect(await world.json(...args)).toMatchObject({ appended: 0, appendedBefore: 6_000 });
    expect(await decisions()).toHaveLength(6_000);
  });

  test('of a history that has grown since is gone on from with what is new', async () => {
    const position = ['--position', join(folder, 'position.json')];
    const first = [HEAD, 'u,2025-01-01,five,1', 'u,2025-01-02,five,1'];
    await world.json('backfill', 'decisions', await file('a.csv', ...first), ...ONLY_COUPON, ...position);
    const grown = await file('a.csv', ...first, 'v,2025-01-03,ten,1');
    const data = await world.json('backfill', 'decisions', grown, ...ONLY_COUPON, ...position);
    expect(data).toMatchObject({ appended: 1, appendedBefore: 2 });
    expect(await decisions()).toHaveLength(3);
  });

  test.each([
    ['other events', [HEAD, 'v,2025-01-01,ten,1', 'v,2025-01-02,ten,1']],
    ['fewer events', [HEAD, 'u,2025-01-01,five,1']],
  ])('of one history is refused for a history of %s', async (_, other) => {
    const position = join(folder, 'position.json');
    const args = [...ONLY_COUPON, '--position', position];
    const first = await file('a.csv', HEAD, 'u,2025-01-01,five,1', 'u,2025-01-02,five,1');
    await world.json('backfill', 'decisions', first, ...args);
    const refused = await world.run('backfill', 'decisions', await file('b.csv', ...other), ...args);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/^position: .*another backfill has come/) });
    expect(await decisions()).toHaveLength(2);
  });

  test('that cannot be read is refused, not taken for none', async () => {
    const path = await file('a.csv', HEAD, 'u,2025-01-01,five,1');
    const position = await file('position.json', '{"appended":');
    const refused = await world.run('backfill', 'decisions', path, ...ONLY_COUPON, '--position', position);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be read as a position') });
    expect(await decisions()).toEqual([]);
  });
});

test('more rows than can be remembered are refused', async () => {
  const path = await file('a.csv', 'unit', 'u', 'v', 'w');
  const history = await openHistory({
    ...{
      stream: 'decisions',
      files: [path],
      columns: { map: [], set: [] },
      codecs: world.codecs,
      openRows,
      rowsMax: 2,
    },
    rules: { experiments: new Map(), limits: LIMITS, nowMs: 0 },
  });
  await expect(Array.fromAsync(history.rows())).rejects.toThrow('more than 2 rows');
});

test('what is misspelt on the line is refused before any file is read', async () => {
  const refused = await world.run('backfill', 'decisions', 'none.csv', '--map', 'unitt=who');
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean unit?') });
});
