/**
 * Three brokers of which every partition has three copies; clients come in by TLS, SCRAM-SHA-512 and the access that
 * deploy/kafka/acls.yaml gives their role. Owns the processes, their ports and their folder. The brokers and the set-up of
 * access speak plain text among themselves on the loopback.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs, { type AclEntry } from 'kafkajs';
import { run } from '../../../deploy/local/command.ts';
import { CHECKOUT } from '../../../deploy/local/ensure.ts';
import { buildTarget } from '../../../deploy/local/maven.ts';
import { probe } from '../../../deploy/local/probe.ts';
import { type Running, startProcess, stopProcess } from '../../../deploy/local/processes.ts';
import { kafkaBuild } from '../../../deploy/local/programs.ts';
import { standardErrorReporter } from '../../../deploy/local/reporter.ts';
import { parseYaml } from '../../../services/contracts/yaml-file.ts';
import { until } from '../until.ts';
import { type Certificates, makeCertificates } from './certificates.ts';

export type Role = 'decider' | 'learner' | 'producer' | 'operator';
export const ROLES: readonly Role[] = ['decider', 'learner', 'producer', 'operator'];

const NODES = [1, 2, 3] as const;
type Node = (typeof NODES)[number];
type Listener = 'internal' | 'controller' | 'secure';
type Ports = Readonly<Record<Listener, number>>;

const START_MS_MAX = 90_000;
const JVM = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dlog4j2.level=WARN'];

export class SecureCluster {
  private readonly folder: string;
  private readonly target: string;
  private readonly certificates: Certificates;
  private readonly ports: ReadonlyMap<Node, Ports>;
  private readonly passwords: ReadonlyMap<Role, string>;
  private readonly running = new Map<Node, Running>();

  static async start(): Promise<SecureCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'croupier-cluster-'));
    const target = await buildTarget(kafkaBuild(CHECKOUT), standardErrorReporter('test'));
    const free = await freePorts(NODES.length * 3);
    const ports = NODES.map((node): [Node, Ports] => {
      const [internal, controller, secure] = free.splice(0, 3) as [number, number, number];
      return [node, { internal, controller, secure }];
    });
    const cluster = new SecureCluster(folder, target, await makeCertificates(folder), new Map(ports));
    await Promise.all(NODES.map((node) => cluster.format(node)));
    await Promise.all(NODES.map((node) => cluster.startNode(node)));
    await Promise.all(NODES.map((node) => cluster.answers(node)));
    return cluster;
  }

  private constructor(folder: string, target: string, certificates: Certificates, ports: ReadonlyMap<Node, Ports>) {
    this.folder = folder;
    this.target = target;
    this.certificates = certificates;
    this.ports = ports;
    this.passwords = new Map(ROLES.map((role) => [role, randomBytes(12).toString('hex')]));
  }

  /** Addresses of the plain-text listener, where everything is allowed. */
  get backDoor(): readonly string[] {
    return this.addresses('internal');
  }

  /** What a process is told that logs in as this role. */
  environment(role: Role): Readonly<Record<string, string>> {
    return {
      KAFKA_BROKERS: this.addresses('secure').join(','),
      KAFKA_TLS: 'true',
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: role,
      KAFKA_SASL_PASSWORD: this.passwords.get(role)!,
      NODE_EXTRA_CA_CERTS: this.certificates.authority,
    };
  }

  /** Gives each role what deploy/kafka/acls.yaml says. */
  async grant(prefix: string): Promise<void> {
    const file = 'deploy/kafka/acls.yaml';
    const roles = parseYaml(file, await readFile(join(CHECKOUT, file), 'utf8'))[0]!.value as Access;
    const acl = ROLES.flatMap((role) => roles[role].flatMap((each) => entriesOf(role, each, prefix)));
    await this.asAdmin((admin) => admin.createAcls({ acl }));
  }

  /** By partition of `topic`, which broker leads it. */
  async leaders(topic: string): Promise<readonly number[]> {
    const [found] = (await this.asAdmin((admin) => admin.fetchTopicMetadata({ topics: [topic] }))).topics;
    return found!.partitions.toSorted((a, b) => a.partitionId - b.partitionId).map(({ leader }) => leader);
  }

  async settingsOf(topic: string): Promise<ReadonlyMap<string, string>> {
    const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }];
    const answer = await this.asAdmin((admin) => admin.describeConfigs({ resources, includeSynonyms: false }));
    return new Map(answer.resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]));
  }

  kill(node: number): void {
    const { pid } = this.running.get(node as Node)!;
    this.running.delete(node as Node);
    process.kill(pid, 'SIGKILL');
  }

  /** Resolves when it answers. */
  async startAgain(node: number): Promise<void> {
    await this.startNode(node as Node);
    await this.answers(node as Node);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.running.values()].map(stopProcess));
    await rm(this.folder, { recursive: true, force: true });
  }

  private async asAdmin<T>(act: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
    const client = new kafkajs.Kafka({ brokers: [...this.backDoor], logLevel: kafkajs.logLevel.NOTHING });
    const admin = client.admin();
    await admin.connect();
    try {
      return await act(admin);
    } finally {
      await admin.disconnect();
    }
  }

  private addresses(listener: Listener): string[] {
    return [...this.ports.values()].map((ports) => `127.0.0.1:${ports[listener]}`);
  }

  private answers(node: Node): Promise<void> {
    const address = `127.0.0.1:${this.ports.get(node)!.internal}`;
    return until(`broker ${node} answers`, async () => (await probe('kafka', address)) === undefined, START_MS_MAX);
  }

  private async format(node: Node): Promise<void> {
    await writeFile(this.settings(node), properties(this.propertiesOf(node)));
    const users = [...this.passwords].map(([role, password]) => `SCRAM-SHA-512=[name=${role},password=${password}]`);
    const { exitCode, lines } = await run('java', [
      ...this.java(),
      ...[
        'kafka.tools.StorageTool',
        'format',
        '--cluster-id',
        'croupier-secure-testsA',
        '--config',
        this.settings(node),
      ],
      ...users.flatMap((user) => ['--add-scram', user]),
    ]);
    if (exitCode !== 0) throw new Error(`broker ${node} could not be formatted: ${lines.join('\n')}`);
  }

  private async startNode(node: Node): Promise<void> {
    const marker = this.settings(node);
    const program = { command: 'java', args: [...this.java(), 'kafka.Kafka', marker], marker };
    this.running.set(node, await startProcess(program, join(this.folder, `broker-${node}.log`)));
  }

  private java(): string[] {
    return [...JVM, '-cp', join(this.target, 'libs', '*')];
  }

  private settings(node: Node): string {
    return join(this.folder, `broker-${node}.properties`);
  }

  private propertiesOf(node: Node): Readonly<Record<string, string>> {
    const { internal, controller, secure } = this.ports.get(node)!;
    const { keystore, authority } = this.certificates;
    const voters = [...this.ports].map(([id, ports]) => `${id}@127.0.0.1:${ports.controller}`);
    return {
      'process.roles': 'broker,controller',
      'node.id': String(node),
      'controller.quorum.voters': voters.join(','),
      'controller.listener.names': 'CONTROLLER',
      'inter.broker.listener.name': 'INTERNAL',
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,SECURE:SASL_SSL',
      listeners: `INTERNAL://127.0.0.1:${internal},CONTROLLER://127.0.0.1:${controller},SECURE://127.0.0.1:${secure}`,
      'advertised.listeners': `INTERNAL://127.0.0.1:${internal},SECURE://127.0.0.1:${secure}`,
      'log.dirs': join(this.folder, `broker-${node}`),
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.secure.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': keystore,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': authority,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'auto.create.topics.enable': 'false',
      'message.max.bytes': '4194304',
      'default.replication.factor': '3',
      'offsets.topic.num.partitions': '4',
      'transaction.state.log.num.partitions': '4',
      'group.initial.rebalance.delay.ms': '0',
      // A dead broker is noticed within seconds.
      'broker.session.timeout.ms': '3000',
      'broker.heartbeat.interval.ms': '500',
    };
  }
}

interface Granted {
  readonly topic?: string;
  readonly group?: string;
  readonly transactionalId?: string;
  readonly pattern?: 'prefixed';
  readonly operations: readonly string[];
}
type Access = Readonly<Record<Role, readonly Granted[]>>;

const OPERATIONS: Readonly<Record<string, kafkajs.AclOperationTypes>> = {
  Read: kafkajs.AclOperationTypes.READ,
  Write: kafkajs.AclOperationTypes.WRITE,
  Delete: kafkajs.AclOperationTypes.DELETE,
  Create: kafkajs.AclOperationTypes.CREATE,
  Describe: kafkajs.AclOperationTypes.DESCRIBE,
  DescribeConfigs: kafkajs.AclOperationTypes.DESCRIBE_CONFIGS,
};

function entriesOf(role: Role, { topic, group, transactionalId, pattern, operations }: Granted, prefix: string) {
  const { TOPIC, GROUP, TRANSACTIONAL_ID } = kafkajs.AclResourceTypes;
  const resourceType = topic !== undefined ? TOPIC : group !== undefined ? GROUP : TRANSACTIONAL_ID;
  const { PREFIXED, LITERAL } = kafkajs.ResourcePatternTypes;
  return operations.map(
    (operation): AclEntry => ({
      principal: `User:${role}`,
      host: '*',
      permissionType: kafkajs.AclPermissionTypes.ALLOW,
      operation: OPERATIONS[operation]!,
      resourceType,
      resourceName: `${prefix}${topic ?? group ?? transactionalId}`,
      resourcePatternType: pattern === 'prefixed' ? PREFIXED : LITERAL,
    }),
  );
}

function properties(entries: Readonly<Record<string, string>>): string {
  return Object.entries(entries)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** Taken all at once, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
