import { expect, it } from 'vitest';
import type { Finding } from '../../../services/cli/commands/doctor.ts';
import { loadTopicSpecs } from '../../../services/platform/topics.ts';
import { CliWorld } from '../../support/cli.ts';

const REGISTERED = {
  subject: 'decisions-value',
  id: 1,
  compatibility: 'BACKWARD_TRANSITIVE',
  wantedCompatibility: 'BACKWARD_TRANSITIVE',
};

async function findingsOf(world: CliWorld, ...args: string[]): Promise<{ code: number; findings: Finding[] }> {
  const { code, stdout } = await world.run('doctor', ...args, '--json');
  return { code, findings: (JSON.parse(stdout) as { findings: Finding[] }).findings };
}

async function whole(): Promise<CliWorld> {
  const world = new CliWorld();
  world.standings = [REGISTERED];
  await world.run('topics', 'create');
  return world;
}

it('finds all well where all is as `topics create` makes it, and leaves nothing behind', async () => {
  const world = await whole();
  const { code, findings } = await findingsOf(world);
  expect(findings.filter(({ outcome }) => outcome !== 'well')).toEqual([]);
  expect(findings.map(({ check }) => check)).toEqual([
    ...Object.values(world.topics).map((topic) => `topic ${topic}`),
    'co-partitioning',
    'schema decisions-value',
    'clocks',
  ]);
  expect(code).toBe(0);
  expect((await world.run('doctor')).stdout).toContain('9 checks, all well');
  expect(await world.log.admin.partitionCount(`experiments-doctor-${world.clock.nowMs}`)).toBeNull();
});

it('names the command that puts right what is missing', async () => {
  const world = new CliWorld();
  world.standings = [{ ...REGISTERED, id: null, compatibility: null }];
  const { code, findings } = await findingsOf(world);
  expect(code).toBe(1);
  const missing = findings.filter(({ outcome }) => outcome === 'wrong');
  expect(missing).toHaveLength(7);
  expect(new Set(missing.map(({ fix }) => fix))).toEqual(new Set(['croupier topics create']));
});

it('finds every setting that is not as it must be, with its fix', async () => {
  const world = new CliWorld();
  await world.log.admin.createTopics(
    loadTopicSpecs(world.topics).map((spec) => {
      switch (spec.topic) {
        case 'decisions':
          return { ...spec, retentionMs: 86_400_000 };
        case 'rewards':
          return { ...spec, partitions: 5 };
        case 'tallies':
          return { ...spec, cleanup: 'delete' as const, retentionMs: null };
        case 'snapshots':
          return { ...spec, compactionLagMs: 0, recordBytesMax: 100_000 };
        default:
          return spec;
      }
    }),
  );
  const { code, findings } = await findingsOf(world);
  expect(code).toBe(1);
  const bad = findings.filter(({ outcome }) => outcome !== 'well');
  expect(bad.map(({ check, outcome, fix }) => [check, outcome, /--add-config (\S+)/.exec(fix!)?.[1] ?? fix])).toEqual([
    ['topic decisions', 'wrong', 'retention.ms=8467200000'],
    ['topic tallies', 'wrong', 'cleanup.policy=compact'],
    ['topic snapshots', 'wrong', 'max.message.bytes=1048576'],
    ['topic snapshots', 'warning', 'min.compaction.lag.ms=3600000'],
    [
      'co-partitioning',
      'wrong',
      'give the other as many (kafka-topics.sh --alter), then `croupier repartition` to move both to topics of their own',
    ],
  ]);
});

it('holds retention against the window that learners are told of', async () => {
  const world = await whole();
  expect((await findingsOf(world, '--join-window', '60d')).code).toBe(1);
  world.environment = { CROUPIER_JOIN_WINDOW: '60d' };
  expect((await findingsOf(world)).findings.filter(({ outcome }) => outcome === 'wrong')).toHaveLength(2);
});

it.each([
  [500, 'well', 0],
  [-5_000, 'warning', 0],
  [5_000, 'warning', 0],
  [2 * 86_400_000, 'wrong', 1],
])('a clock that is %i ms ahead of the broker is %s', async (skewMs, outcome, exitCode) => {
  const world = await whole();
  world.skewMs = skewMs;
  const { code, findings } = await findingsOf(world);
  expect(findings.at(-1)).toMatchObject({ check: 'clocks', outcome });
  expect(code).toBe(exitCode);
});

it('what does not answer is a finding', async () => {
  const world = await whole();
  await world.log.close();
  const { code, findings } = await findingsOf(world);
  expect(code).toBe(1);
  expect(findings.filter(({ outcome }) => outcome === 'wrong').map(({ check }) => check)).toEqual(['topics', 'clocks']);
});
