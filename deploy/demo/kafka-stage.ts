/**
 * The stage on a real Kafka: learners and the decider are processes of their own, and die by signal.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Codecs, createCodecs, type SchemaSource } from '../../services/contracts/codec.ts';
import type { TopicNames } from '../../services/contracts/keys.ts';
import { Unavailable } from '../../services/core/errors.ts';
import { KafkaLog } from '../../services/platform/kafka/log.ts';
import { createLogger } from '../../services/platform/logging.ts';
import { registerAll } from '../../services/platform/registry/register.ts';
import { openRegistrySource } from '../../services/platform/registry/source.ts';
import { createTopics, loadTopicSpecs } from '../../services/platform/topics.ts';
import { CHECKOUT, ensureStack, type Stack } from '../local/ensure.ts';
import { standardErrorReporter } from '../local/reporter.ts';
import { DEMO_LIMITS, LEARNERS, type LearnerName, type RunningLearner, type Stage, topicsOf } from './stage.ts';

const REGISTRY = { auth: null, timeoutMs: 10_000, triesMax: 5 };

export async function openKafkaStage(options: {
  readonly partitions: number;
  readonly folder: string;
}): Promise<Stage> {
  const stack = await ensureStack({ reporter: standardErrorReporter('stack') });
  const prefix = `demo-${Date.now().toString(36)}.`;
  const logger = createLogger({ name: 'demo', level: 'error' });
  const log = new KafkaLog({
    brokers: stack.addresses.kafka.split(','),
    clientId: 'croupier-demo',
    logger,
    ssl: false,
  });
  const registry = { ...REGISTRY, url: stack.addresses.registry };
  const sources = new Map<string, SchemaSource>();
  for (const learner of LEARNERS) {
    const topics = topicsOf(prefix, learner);
    await createTopics(log.admin, loadTopicSpecs(topics, { inputPartitions: options.partitions }));
    await registerAll(registry, topics);
    sources.set(topics.tallies, await openRegistrySource(registry, topics));
  }
  await mkdir(options.folder, { recursive: true });
  return new KafkaStage({ ...options, stack, log, prefix, sources });
}

interface KafkaStageOptions {
  readonly partitions: number;
  readonly folder: string;
  readonly stack: Stack;
  readonly log: KafkaLog;
  readonly prefix: string;
  readonly sources: ReadonlyMap<string, SchemaSource>;
}

class KafkaStage implements Stage {
  readonly kind = 'kafka';
  readonly log: KafkaLog;
  readonly prefix: string;
  readonly partitions: number;
  private readonly options: KafkaStageOptions;
  private readonly processes = new Set<ChildProcess>();

  constructor(options: KafkaStageOptions) {
    this.options = options;
    this.log = options.log;
    this.prefix = options.prefix;
    this.partitions = options.partitions;
  }

  codecs(topics: TopicNames): Codecs {
    return createCodecs(this.options.sources.get(topics.tallies)!, topics);
  }

  async startLearner(name: LearnerName, disk: 'kept' | 'empty'): Promise<RunningLearner> {
    const data = join(this.options.folder, `learner-${name}`);
    if (disk === 'empty') await rm(data, { recursive: true, force: true });
    const { process } = await this.start(`learner-${name}`, 'services/learner/main.ts', {
      CROUPIER_NAMESPACE: name === 'live' ? '' : `${name}.`,
      CROUPIER_LEARNER_GROUP: `${this.prefix}${name}`,
      CROUPIER_LEARNER_DATA: data,
      CROUPIER_LEARNER_PORT: '0',
      CROUPIER_LEARNER_SESSION_TIMEOUT: '6s',
      CROUPIER_JOIN_WINDOW: `${DEMO_LIMITS.windowMs}ms`,
      CROUPIER_JOIN_GRACE: `${DEMO_LIMITS.graceMs}ms`,
      CROUPIER_JOIN_EARLY_GRACE: `${DEMO_LIMITS.earlyGraceMs}ms`,
      CROUPIER_JOIN_UNIT_EVENTS: String(DEMO_LIMITS.unitEventsMax),
      CROUPIER_JOIN_UNIT_SPAN: `${DEMO_LIMITS.unitSpanMs}ms`,
    });
    return { kill: () => this.kill(process) };
  }

  async startDecider(): Promise<string> {
    const { started } = await this.start('decider', 'services/decider/main.ts', {
      CROUPIER_DECIDER_GRPC_PORT: '0',
      CROUPIER_DECIDER_HTTP_PORT: '0',
      CROUPIER_DECIDER_DATA: join(this.options.folder, 'decider'),
      REDIS_URL: '',
    });
    return `127.0.0.1:${started.grpcPort}`;
  }

  async close(): Promise<void> {
    for (const process of this.processes) process.kill('SIGTERM');
    await Promise.all([...this.processes].map(exited));
    const topics = LEARNERS.flatMap((learner) => Object.values(topicsOf(this.prefix, learner)) as string[]);
    await this.log.admin.deleteTopics([...new Set(topics)]);
    await this.log.close();
    await this.options.stack.stop();
  }

  /** @returns once the process says that it has started, with what it says of itself. */
  private async start(
    name: string,
    main: string,
    environment: Readonly<Record<string, string>>,
  ): Promise<{ process: ChildProcess; started: Readonly<Record<string, unknown>> }> {
    const child = spawn(process.execPath, [join(CHECKOUT, main)], {
      cwd: CHECKOUT,
      env: { ...process.env, ...this.options.stack.variables, CROUPIER_TOPIC_PREFIX: this.prefix, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.processes.add(child);
    const logFile = join(this.options.folder, `${name}.log`);
    const file = createWriteStream(logFile, { flags: 'a' });
    const started = await new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
      createInterface({ input: child.stderr! }).on('line', (line) => {
        file.write(`${line}\n`);
        const entry = parseLine(line);
        if (entry?.msg === 'started') resolve(entry);
      });
      child.once('exit', () => {
        reject(new Unavailable('not-started', `${name} stopped before it had started; see ${logFile}`));
      });
    });
    return { process: child, started };
  }

  private async kill(child: ChildProcess): Promise<void> {
    child.kill('SIGKILL');
    await exited(child);
    this.processes.delete(child);
  }
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

function parseLine(line: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    // Not a log line: a stack trace of Node's own, kept in the log file.
    return null;
  }
}
