/**
 * `croupier doctor`: whether an installation is as Croupier needs it, and how to put right what is not. Changes nothing;
 * to compare clocks it makes a topic of its own and deletes it.
 */
import { formatDuration } from '../../contracts/duration.ts';
import { CroupierError, Unavailable } from '../../core/errors.ts';
import { type JoinLimits, rebuiltFromMs } from '../../core/join/group.ts';
import type { Log, TopicSettings, TopicSpec } from '../../platform/log/port.ts';
import { readToEnd, startOf } from '../../platform/log/read-to-end.ts';
import { renderTable } from '../../platform/table.ts';
import { loadTopicSpecs } from '../../platform/topics.ts';
import type { Answer, CliPorts, Installation } from '../ports.ts';

export interface Finding {
  /** What was looked at. */
  readonly check: string;
  readonly outcome: 'well' | 'warning' | 'wrong';
  readonly found: string;
  /** What to do; `null` when all is well. */
  readonly fix: string | null;
}

const SKEW_MS_MAX = 1_000;

/** Fails when a finding is wrong; warnings alone do not. */
export async function doctor(
  installation: Installation,
  ports: Pick<CliPorts, 'nowMs'>,
  limits: JoinLimits,
): Promise<Answer> {
  const findings = [
    ...(await attempt('topics', () => topicFindings(installation, limits))),
    ...(await attempt('schemas', () => schemaFindings(installation))),
    ...(await attempt('clocks', () => clockFindings(installation, ports, limits))),
  ];
  const rows = findings.map(({ check, outcome, found, fix }) => [outcome, check, found, fix ?? '']);
  const bad = findings.filter(({ outcome }) => outcome !== 'well').length;
  const summary = bad === 0 ? `${findings.length} checks, all well` : `${findings.length} checks, ${bad} not well`;
  return {
    data: { findings },
    text: `${renderTable(['', 'check', 'found', 'what to do'], rows)}\n${summary}`,
    failed: findings.some(({ outcome }) => outcome === 'wrong'),
  };
}

/** What cannot be reached is a finding too. */
async function attempt(check: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof CroupierError)) throw error;
    const fix = 'see that the addresses (KAFKA_BROKERS, SCHEMA_REGISTRY_URL) are right, it runs, and the login may ask';
    return [{ check, outcome: 'wrong', found: error.message, fix }];
  }
}

async function topicFindings({ log, topics }: Installation, limits: JoinLimits): Promise<readonly Finding[]> {
  const specs = loadTopicSpecs(topics);
  const found = new Map<string, TopicSettings>();
  const findings: Finding[] = [];
  for (const spec of specs) {
    const settings = await log.admin.describe(spec.topic);
    if (settings === null) {
      findings.push(wrong(`topic ${spec.topic}`, 'it does not exist', 'croupier topics create'));
      continue;
    }
    found.set(spec.topic, settings);
    const memoryMs = [topics.decisions, topics.rewards].includes(spec.topic) ? rebuiltFromMs(limits) : null;
    findings.push(...settingFindings(spec, settings, memoryMs));
  }
  return [...findings, ...coPartitioning(topics.decisions, topics.rewards, found)];
}

function coPartitioning(
  decisions: string,
  rewards: string,
  found: ReadonlyMap<string, TopicSettings>,
): readonly Finding[] {
  const [a, b] = [found.get(decisions)?.partitions, found.get(rewards)?.partitions];
  if (a === undefined || b === undefined) return [];
  const check = 'co-partitioning';
  const shown = `${decisions} has ${a} partitions, ${rewards} ${b}`;
  const fix =
    'give the other as many (kafka-topics.sh --alter), then `croupier repartition` to move both to topics of their own';
  return [a === b ? well(check, shown) : wrong(check, shown, fix)];
}

/** @param memoryMs how far back a rebuild reads, where it reads this topic. */
function settingFindings(spec: TopicSpec, settings: TopicSettings, memoryMs: number | null): readonly Finding[] {
  const { topic } = spec;
  const problems: Finding[] = [];
  const expect = (isWell: boolean, outcome: 'warning' | 'wrong', found: string, setting: string): void => {
    const fix = `kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`;
    if (!isWell) problems.push({ check: `topic ${topic}`, outcome, found, fix });
  };
  const { cleanup, retentionMs, retentionBytes, compactionLagMs, recordBytesMax } = settings;
  const appendTime = 'message.timestamp.type=LogAppendTime';
  expect(settings.isAppendTime, 'wrong', "times are the producers', clocks would not be the log's", appendTime);
  expect(cleanup === spec.cleanup, 'wrong', `cleanup.policy is ${cleanup}`, `cleanup.policy=${spec.cleanup}`);
  const bytes = `max.message.bytes is ${recordBytesMax}, ${spec.recordBytesMax} are needed`;
  expect(recordBytesMax >= spec.recordBytesMax, 'wrong', bytes, `max.message.bytes=${spec.recordBytesMax}`);
  const lagMs = spec.compactionLagMs ?? 0;
  const lag = `min.compaction.lag.ms is ${compactionLagMs}: what a decision was made from may be gone when it is asked for`;
  expect(compactionLagMs >= lagMs, 'warning', lag, `min.compaction.lag.ms=${lagMs}`);
  if (memoryMs !== null) {
    const kept = `keeps ${retentionMs === null ? 'for ever' : formatDuration(retentionMs)}, a rebuild reads ${formatDuration(memoryMs)} back`;
    expect(retentionMs === null || retentionMs >= memoryMs, 'wrong', kept, `retention.ms=${memoryMs}`);
    const size = `drops what exceeds ${retentionBytes} bytes, however young`;
    expect(retentionBytes === null, 'warning', size, 'retention.bytes=-1');
  }
  return problems.length > 0 ? problems : [well(`topic ${topic}`, `${settings.partitions} partitions, ${cleanup}`)];
}

async function schemaFindings({ schemaStandings }: Installation): Promise<readonly Finding[]> {
  return (await schemaStandings()).map(({ subject, id, compatibility, wantedCompatibility }) => {
    const check = `schema ${subject}`;
    const fix = 'croupier topics create';
    if (id === null) return wrong(check, "this version's schema is not registered", fix);
    if (compatibility === wantedCompatibility) return well(check, `id ${id}, ${compatibility}`);
    return { check, outcome: 'warning', found: `compatibility is ${compatibility}, not ${wantedCompatibility}`, fix };
  });
}

/** By the append time of a record in a topic of its own, between two looks at this machine's clock. */
async function clockFindings(
  { log, topics }: Installation,
  { nowMs }: Pick<CliPorts, 'nowMs'>,
  { earlyGraceMs }: JoinLimits,
): Promise<readonly Finding[]> {
  const topic = `${topics.experiments}-doctor-${nowMs()}`;
  await log.admin.createTopics([
    { topic, partitions: 1, cleanup: 'delete', retentionMs: 60_000, recordBytesMax: 1_048_576 },
  ]);
  try {
    const beforeMs = nowMs();
    const brokerMs = await appendTimeOf(log, topic);
    const afterMs = nowMs();
    const skewMs = brokerMs < beforeMs ? brokerMs - beforeMs : Math.max(0, brokerMs - afterMs);
    const found = `the broker's clock is ${skewMs} ms ahead of this machine's, to within ${afterMs - beforeMs} ms`;
    const check = 'clocks';
    if (Math.abs(skewMs) <= SKEW_MS_MAX) return [well(check, found)];
    const fix = 'set both by NTP: whether a reward falls into the window is decided by the clocks of who reports it';
    return [{ check, outcome: Math.abs(skewMs) > earlyGraceMs ? 'wrong' : 'warning', found, fix }];
  } finally {
    await log.admin.deleteTopics([topic]);
  }
}

async function appendTimeOf(log: Log, topic: string): Promise<number> {
  const writer = log.writer();
  try {
    await writer.append({ topic, partition: 0 }, [{ key: 'clock', value: Buffer.of(0) }]);
  } finally {
    await writer.close();
  }
  for await (const { records } of readToEnd(log, await startOf(log, topic))) return records[0]!.appendTimeMs;
  throw new Unavailable('lost-record', `what was appended to ${topic} is not there`);
}

function well(check: string, found: string): Finding {
  return { check, outcome: 'well', found, fix: null };
}

function wrong(check: string, found: string, fix: string): Finding {
  return { check, outcome: 'wrong', found, fix };
}
