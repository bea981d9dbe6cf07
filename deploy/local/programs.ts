/**
 * Purpose: says which program runs each service without Docker, and makes it ready to start.
 * Owns `.croupier/stack`, the folder of their data and logs.
 * The settings come from docker-compose.yml; only addresses and folders differ.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Unavailable } from '../../services/core/errors.ts';
import { run } from './command.ts';
import { composeSettings, type ServiceSettings } from './compose.ts';
import { buildTarget, builtTarget, type MavenBuild } from './maven.ts';
import type { Program } from './processes.ts';
import type { Reporter } from './reporter.ts';
import { type Ports, SERVICES, type ServiceName } from './services.ts';
import { stackFolder } from './state.ts';

const JAVA_RELEASE_MIN = 17;
// Small heaps and short lives: the simple collector and the quick compiler start sooner and leave cores to the tests.
const QUICK_JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export function dataFolder(root: string, name: ServiceName): string {
  return join(stackFolder(root), 'stack', name);
}

/** Fetches what is needed and writes configuration; refuses, naming each missing tool and the command that gets it. */
export async function preparePrograms(root: string, names: readonly ServiceName[], ports: Ports, reporter: Reporter) {
  await requireTools(root, names);
  const settings = await composeSettings(root);
  const programs: Partial<Record<ServiceName, Program>> = {};
  for (const name of SERVICES.filter((service) => names.includes(service))) {
    const folder = dataFolder(root, name);
    await mkdir(folder, { recursive: true });
    switch (name) {
      case 'kafka':
        programs.kafka = await kafka(folder, ports.kafka, settings, await buildTarget(kafkaBuild(root), reporter));
        break;
      case 'registry':
        programs.registry = registry(
          folder,
          ports.registry,
          settings,
          await buildTarget(registryBuild(root), reporter),
        );
        break;
      case 'redis':
        programs.redis = redis(folder, ports.redis, settings);
        break;
    }
  }
  return programs;
}

/** The controller of the one-broker cluster listens on the port above the broker's. */
export function portsUsed(name: ServiceName, ports: Ports): readonly number[] {
  return name === 'kafka' ? [ports.kafka, ports.kafka + 1] : [ports[name]];
}

export function kafkaBuild(root: string): MavenBuild {
  return mavenBuild(root, 'kafka', 'Kafka');
}

export function registryBuild(root: string): MavenBuild {
  return mavenBuild(root, 'registry', 'Apicurio Registry');
}

function mavenBuild(root: string, name: ServiceName, title: string): MavenBuild {
  const local = join(root, 'deploy', 'local');
  return { name, title, source: join(local, name), settings: join(local, 'maven-settings.xml') };
}

async function kafka(folder: string, port: number, settings: ServiceSettings, target: string): Promise<Program> {
  const { environment } = settings.kafka;
  const file = join(folder, 'server.properties');
  const properties: Record<string, string> = {
    ...brokerProperties(environment),
    listeners: `INTERNAL://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}`,
    'advertised.listeners': `INTERNAL://127.0.0.1:${port}`,
    'controller.quorum.voters': `1@127.0.0.1:${port + 1}`,
    'log.dirs': join(folder, 'data'),
  };
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(file, lines.join(''));
  const classPath = ['-cp', join(target, 'libs', '*'), '-Dlog4j2.level=WARN'];
  const formatted = await run('java', [
    ...QUICK_JVM,
    ...classPath,
    'kafka.tools.StorageTool',
    ...['format', '--cluster-id', 'croupier-local-stack0A', '--config', file],
  ]);
  if (formatted.exitCode !== 0) {
    throw new Unavailable(
      'stack-format',
      `Kafka's storage could not be formatted: ${formatted.lines.slice(-3).join(' ')}`,
    );
  }
  const heap = (environment.KAFKA_HEAP_OPTS ?? '').split(' ').filter((option) => option !== '');
  return { command: 'java', args: [...heap, ...QUICK_JVM, ...classPath, 'kafka.Kafka', file], marker: file };
}

/** KAFKA_LOG_DIRS → log.dirs, as the image's own start script has it; options of the JVM are not the broker's. */
function brokerProperties(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment)
      .filter(([name]) => name.startsWith('KAFKA_') && !name.endsWith('_OPTS'))
      .map(([name, value]) => [name.slice('KAFKA_'.length).toLowerCase().replaceAll('_', '.'), value]),
  );
}

function registry(folder: string, port: number, settings: ServiceSettings, target: string): Program {
  const marker = `-Dcroupier.stack=${folder}`;
  const where = ['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${port}`];
  return {
    command: 'java',
    args: [marker, ...where, '-jar', join(target, 'quarkus-app', 'quarkus-run.jar')],
    environment: settings.registry.environment,
    marker,
  };
}

function redis(folder: string, port: number, settings: ServiceSettings): Program {
  const [command = 'redis-server', ...args] = settings.redis.command;
  const where = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder];
  // Else it rewrites its command line some time after its start, and could not be told by it before.
  const title = ['--set-proc-title', 'no'];
  return { command, args: [...args, ...where, ...title], marker: folder };
}

async function requireTools(root: string, names: readonly ServiceName[]): Promise<void> {
  const builds = [
    ...(names.includes('kafka') ? [kafkaBuild(root)] : []),
    ...(names.includes('registry') ? [registryBuild(root)] : []),
  ];
  const built = await Promise.all(builds.map(builtTarget));
  const missing = await Promise.all([
    builds.length > 0 ? whyNoJava() : undefined,
    built.includes(undefined) ? whyNot('mvn', 'Maven', 'maven', 'maven') : undefined,
    names.includes('redis') ? whyNot('redis-server', 'redis-server', 'redis-server', 'redis') : undefined,
  ]);
  const lines = missing.filter((line) => line !== undefined);
  if (lines.length > 0) {
    const instead = 'or start a Docker daemon with Compose 2, which needs none of these';
    throw new Unavailable('stack-tools', `the local stack lacks:\n${lines.join('\n')}\n${instead}`);
  }
}

async function whyNoJava(): Promise<string | undefined> {
  const { exitCode, lines } = await run('java', ['-version']);
  const release = Number(/version "(\d+)/.exec(lines.join('\n'))?.[1] ?? 0);
  if (exitCode === 0 && release >= JAVA_RELEASE_MIN) return undefined;
  const found = exitCode === 0 ? ` (found ${release})` : '';
  return hint(`Java ${JAVA_RELEASE_MIN} or later${found}`, 'openjdk-17-jre-headless', 'openjdk@17');
}

async function whyNot(command: string, title: string, aptPackage: string, brewFormula: string) {
  const { exitCode } = await run(command, ['--version']);
  return exitCode === 0 ? undefined : hint(title, aptPackage, brewFormula);
}

function hint(title: string, aptPackage: string, brewFormula: string): string {
  return `  ${title}: sudo apt-get install -y ${aptPackage} (macOS: brew install ${brewFormula})`;
}
