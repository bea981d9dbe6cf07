/**
 * Croupier as it is run: topics and schemas under a prefix of its own, on the services that the environment names, and
 * the command line, learners and deciders as processes. Owns those processes, their folder and the topics.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CHECKOUT } from '../../deploy/local/ensure.ts';
import { type Codecs, createCodecs } from '../../services/contracts/codec.ts';
import { topicNames } from '../../services/contracts/keys.ts';
import { addCounts, type Counts, zeroCounts } from '../../services/core/learning/counts.ts';
import { defineConfig } from '../../services/platform/config.ts';
import { CONNECTION_OPTIONS, kafkaOptions, registryOptions } from '../../services/platform/connection-config.ts';
import { KafkaLog } from '../../services/platform/kafka/log.ts';
import type { LogRecord } from '../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../services/platform/log/read-to-end.ts';
import { createLogger } from '../../services/platform/logging.ts';
import { openRegistrySource } from '../../services/platform/registry/source.ts';
import { kafkaBrokers, uniqueName } from './broker.ts';
import { type Answer, get } from './decider.ts';
import { until } from './until.ts';

export type Environment = Readonly<Record<string, string>>;

const BOOKS_MS_MAX = 60_000;
const LINES_KEPT = 200;
const READY_MS_MAX = 30_000;

export interface RunningProcess {
  /** What it said of itself when it had started. */
  readonly started: Readonly<Record<string, unknown>>;
  /** The last lines of its log. */
  readonly lines: readonly string[];
  /** As an operator would, by SIGTERM. @returns its exit code. */
  stop(): Promise<number | null>;
  /** Resolves with its exit code when it ends by itself. */
  ended(): Promise<number | null>;
}

export interface RunningDecider extends RunningProcess {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly ready: Answer;
}

export class Installation {
  readonly prefix: string;
  readonly topics;
  readonly log: KafkaLog;
  /** Once `create` has registered the schemas. */
  codecs!: Codecs;
  private readonly values;
  private readonly commandEnvironment: Environment;
  private readonly processes = new Set<ChildProcess>();
  private folder = '';

  /** @param experiments files to apply. */
  static async create(options: {
    readonly name: string;
    readonly partitions: number;
    /** Copies of each, instead of the cluster's default. */
    readonly replication?: number;
    readonly experiments: readonly string[];
    /** For the command line, beside where the services are. */
    readonly environment?: Environment;
    /** Comes before the topics do. */
    readonly prepare?: (prefix: string) => Promise<void>;
  }): Promise<Installation> {
    const installation = new Installation(options.name, options.environment ?? {});
    await options.prepare?.(installation.prefix);
    installation.folder = await mkdtemp(join(tmpdir(), 'croupier-installation-'));
    const { partitions, replication } = options;
    const copies = replication === undefined ? [] : ['--replication', String(replication)];
    await installation.croupier('topics', 'create', '--partitions', String(partitions), ...copies);
    for (const file of options.experiments) await installation.croupier('experiments', 'apply', file);
    const { values, topics } = installation;
    installation.codecs = createCodecs(await openRegistrySource(registryOptions(values), topics), topics);
    return installation;
  }

  private constructor(name: string, commandEnvironment: Environment) {
    this.commandEnvironment = commandEnvironment;
    this.prefix = `${uniqueName(name)}.`;
    this.topics = topicNames(this.prefix);
    this.values = defineConfig(CONNECTION_OPTIONS).parse({
      env: process.env,
      flags: { brokers: kafkaBrokers().join(','), prefix: this.prefix },
    });
    const logger = createLogger({ name: 'test', level: 'silent' });
    this.log = new KafkaLog(kafkaOptions(this.values, { clientId: 'test', logger }));
  }

  /** For whatever else talks to the same services. */
  get environment(): Environment {
    const { brokers, registry, prefix } = this.values;
    return { KAFKA_BROKERS: brokers.join(','), SCHEMA_REGISTRY_URL: registry, CROUPIER_TOPIC_PREFIX: prefix! };
  }

  /** The same installation in another generation of its topics, which are there; who closes it deletes them. */
  async generation(number: number): Promise<Installation> {
    const topics = topicNames(this.prefix, '', number);
    const codecs = createCodecs(await openRegistrySource(registryOptions(this.values), topics), topics);
    return Object.assign(Object.create(this) as Installation, { topics, codecs });
  }

  /** The command line. @returns what it printed. @throws Error with what it said when it did not do well. */
  croupier(...args: string[]): Promise<string> {
    return this.croupierWith({}, ...args);
  }

  /** The same, told other things by its environment. */
  croupierWith(environment: Environment, ...args: string[]): Promise<string> {
    const env = { ...process.env, ...this.environment, ...this.commandEnvironment, ...environment };
    return new Promise((resolve, reject) => {
      execFile(process.execPath, ['services/cli/main.ts', ...args], { env, cwd: CHECKOUT }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`croupier ${args.join(' ')}: ${stderr}`, { cause: error }));
      });
    });
  }

  /** @param wrapper a command, with its first arguments, that becomes the learner when it is given the learner's. */
  startLearner(environment: Environment = {}, wrapper: readonly string[] = []): Promise<RunningProcess> {
    const own = {
      CROUPIER_LEARNER_GROUP: `${this.prefix}learner`,
      CROUPIER_LEARNER_DATA: join(this.folder, 'learner'),
      CROUPIER_LEARNER_PORT: '0',
    };
    return this.start('services/learner/main.ts', { ...own, ...environment }, wrapper);
  }

  /**
   * Without mirrors unless the environment says so.
   * @returns once every experiment has a snapshot to decide from, with what GET /ready said then.
   */
  async startDecider(environment: Environment = {}): Promise<RunningDecider> {
    const decider = await this.start('services/decider/main.ts', {
      CROUPIER_DECIDER_GRPC_PORT: '0',
      CROUPIER_DECIDER_HTTP_PORT: '0',
      REDIS_URL: '',
      ...environment,
    });
    const { httpPort, grpcPort } = decider.started as { httpPort: number; grpcPort: number };
    let ready: Answer | undefined;
    const hasAll = async () => {
      ready = await get(httpPort, '/ready');
      return ready.body.ready && ready.body.experiments > 0 && ready.body.withoutSnapshot === 0;
    };
    await until('every experiment has a snapshot', hasAll, READY_MS_MAX);
    return { ...decider, httpPort, grpcPort, ready: ready! };
  }

  /** What a topic holds now, with the partition of each record. */
  async recordsOf(topic: string): Promise<(LogRecord & { readonly partition: number })[]> {
    const found: (LogRecord & { readonly partition: number })[] = [];
    for await (const { partition, records } of readToEnd(this.log, await startOf(this.log, topic))) {
      found.push(...records.map((record) => ({ ...record, partition })));
    }
    return found;
  }

  /** @returns the learner's books, all partitions together, once they tell of so many decisions and rewards. */
  async booksOf(
    events: number,
    { tallies = this.topics.tallies, waitMsMax = BOOKS_MS_MAX }: { tallies?: string; waitMsMax?: number } = {},
  ): Promise<Counts> {
    const byPartition = new Map<number, Counts>();
    const reader = this.log.reader();
    try {
      reader.assign(await startOf(this.log, tallies));
      const deadlineMs = performance.now() + waitMsMax;
      while (performance.now() < deadlineMs) {
        for (const { records } of await reader.poll({ maxRecords: 1_000, waitMsMax: 1_000 })) {
          for (const { value } of records) {
            const tally = value === null ? null : this.codecs.tally.decode(value);
            if (tally?.kind === 'progress') byPartition.set(tally.partition, tally.counts);
          }
        }
        const books = zeroCounts();
        for (const counts of byPartition.values()) addCounts(books, counts);
        if (books.decisionsIn + books.rewardsIn === events) return books;
      }
    } finally {
      await reader.close();
    }
    throw new Error(`the learner's books never told of ${events} events: ${JSON.stringify([...byPartition])}`);
  }

  async close(): Promise<void> {
    await Promise.all([...this.processes].map(stopped));
    await this.log.admin.deleteTopics(Object.values(this.topics));
    await this.log.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** @returns once the process says that it has started. */
  private async start(
    main: string,
    environment: Environment,
    wrapper: readonly string[] = [],
  ): Promise<RunningProcess> {
    const [command, ...args] = [...wrapper, process.execPath, main];
    const child = spawn(command!, args, {
      cwd: CHECKOUT,
      env: { ...process.env, ...this.environment, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.processes.add(child);
    const { CROUPIER_TEST_LOGS: logs } = process.env;
    if (logs !== undefined) child.stderr!.pipe(createWriteStream(join(logs, `${this.prefix}${child.pid}.log`)));
    const lines: string[] = [];
    const started = await new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
      createInterface({ input: child.stderr! }).on('line', (line) => {
        lines.push(line);
        if (lines.length > LINES_KEPT) lines.shift();
        if (line.includes('"msg":"started"')) resolve(JSON.parse(line) as Readonly<Record<string, unknown>>);
      });
      child.once('close', () => reject(new Error(`${main} stopped before it had started:\n${lines.join('\n')}`)));
    });
    return {
      started,
      lines,
      ended: async () => {
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        return child.exitCode;
      },
      stop: async () => {
        this.processes.delete(child);
        return stopped(child);
      },
    };
  }
}

async function stopped(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  return child.exitCode;
}
