/**
 * Purpose: makes Kafka, the schema registry and Redis available, in the first way that this machine allows:
 * addresses in the environment, Docker, local processes. Idempotent.
 * Owns the knowledge of what was started from this checkout (through state.ts), and stops nothing else.
 */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Invalid, Unavailable } from '../../services/core/errors.ts';
import { removeContainers, runningContainers, startContainers, whyNoDocker } from './compose.ts';
import { portTaken, probe } from './probe.ts';
import { isRunning, startProcess, stopProcess } from './processes.ts';
import { dataFolder, portsUsed, preparePrograms } from './programs.ts';
import { type Reporter, seconds, silent } from './reporter.ts';
import {
  ADDRESS_VARIABLE,
  type Addresses,
  addressVariables,
  type Environment,
  localAddress,
  PORT_VARIABLE,
  type Ports,
  portsOf,
  SERVICES,
  type ServiceName,
} from './services.ts';
import { readState, removeState, type StackState, type Started, stackFolder, withLock, writeState } from './state.ts';

export const MODES = ['auto', 'docker', 'process'] as const;
/** How to start what the environment does not give; `auto` is Docker where a daemon answers, else local processes. */
export type Mode = (typeof MODES)[number];

export interface StackOptions {
  /** The checkout; by default CHECKOUT. */
  readonly root?: string;
  readonly mode?: Mode;
  readonly environment?: Environment;
  readonly reporter?: Reporter;
}

export interface Stack {
  readonly addresses: Addresses;
  /** The same as environment variables: KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL. */
  readonly variables: Readonly<Record<string, string>>;
  /** What this call started; empty when all was there. */
  readonly started: readonly ServiceName[];
  /** Stops what this call started. */
  stop(): Promise<void>;
}

export interface ServiceStatus {
  readonly name: ServiceName;
  readonly address: string;
  readonly from: 'environment' | Started['from'] | 'elsewhere';
  readonly pid?: number;
  /** Undefined when it answers. */
  readonly problem?: string;
}

type StartedServices = StackState['started'];

/** The checkout that this file is in. */
export const CHECKOUT = resolve(import.meta.dirname, '..', '..');

const READY_MS_MAX = 120_000;
const POLL_MS = 100;

export async function ensureStack(options: StackOptions = {}): Promise<Stack> {
  const context = contextOf(options);
  return withLock(stackFolder(context.root), async () => {
    const given = SERVICES.filter((name) => givenAddress(name, context.environment) !== undefined);
    await Promise.all(given.map((name) => requireGiven(name, context.environment)));
    const wanted = SERVICES.filter((name) => !given.includes(name));
    const addresses = addressesOf(context);
    const before = (await readState(context.root))?.started ?? {};
    if (await allUp(wanted, before, context)) {
      await writeState(context.root, { addresses, started: before });
      return stackOf(addresses, [], context);
    }
    // Kafka's records name schemas by ids that only this registry knows: what is half there starts afresh.
    await stopStarted(context, before);
    const started = await start(wanted, context);
    await writeState(context.root, { addresses, started });
    return stackOf(
      addresses,
      SERVICES.filter((name) => started[name] !== undefined),
      context,
    );
  });
}

/** Stops what was started from this checkout, now or earlier, and deletes what it kept. */
export async function stopStack(options: StackOptions = {}): Promise<readonly ServiceName[]> {
  const context = contextOf(options);
  return withLock(stackFolder(context.root), async () => {
    const started = (await readState(context.root))?.started ?? {};
    return stopStarted(context, started);
  });
}

export async function stackStatus(options: StackOptions = {}): Promise<readonly ServiceStatus[]> {
  const context = contextOf(options);
  const started = (await readState(context.root))?.started ?? {};
  const addresses = addressesOf(context);
  return Promise.all(
    SERVICES.map(async (name): Promise<ServiceStatus> => {
      const mine = started[name];
      const address = givenAddress(name, context.environment) ?? mine?.address ?? addresses[name];
      const problem = await probe(name, address);
      const given = givenAddress(name, context.environment) !== undefined && mine?.address !== address;
      return {
        name,
        address,
        from: given ? 'environment' : (mine?.from ?? 'elsewhere'),
        ...(mine?.from === 'process' && !given ? { pid: mine.pid } : {}),
        ...(problem === undefined ? {} : { problem }),
      };
    }),
  );
}

interface Context {
  readonly root: string;
  readonly mode: Mode;
  readonly environment: Environment;
  readonly ports: Ports;
  readonly reporter: Reporter;
}

function contextOf(options: StackOptions): Context {
  const environment = options.environment ?? process.env;
  return {
    root: resolve(options.root ?? CHECKOUT),
    mode: options.mode ?? modeOf(environment),
    environment,
    ports: portsOf(environment),
    reporter: options.reporter ?? silent,
  };
}

function modeOf(environment: Environment): Mode {
  const text = environment.CROUPIER_STACK_MODE || 'auto';
  const mode = MODES.find((each) => each === text);
  if (mode === undefined)
    throw new Invalid('stack-mode', `CROUPIER_STACK_MODE=${text}: want one of ${MODES.join(', ')}`);
  return mode;
}

function givenAddress(name: ServiceName, environment: Environment): string | undefined {
  return environment[ADDRESS_VARIABLE[name]] || undefined;
}

function addressesOf({ environment, ports }: Context): Addresses {
  const address = (name: ServiceName) => givenAddress(name, environment) ?? localAddress(name, ports);
  return { kafka: address('kafka'), registry: address('registry'), redis: address('redis') };
}

async function requireGiven(name: ServiceName, environment: Environment): Promise<void> {
  const address = givenAddress(name, environment) as string;
  const problem = await probe(name, address);
  if (problem === undefined) return;
  const variable = ADDRESS_VARIABLE[name];
  throw new Unavailable(
    'stack-given',
    `${variable}=${address} does not answer: ${problem}; start it, or unset ${variable} to have one started`,
  );
}

async function allUp(names: readonly ServiceName[], started: StartedServices, context: Context): Promise<boolean> {
  const answers = await Promise.all(
    names.map(async (name) => {
      const mine = started[name];
      if (mine === undefined || mine.address !== localAddress(name, context.ports)) return false;
      if (context.mode !== 'auto' && context.mode !== mine.from) return false;
      return (await probe(name, mine.address)) === undefined;
    }),
  );
  return answers.every((up) => up);
}

async function start(names: readonly ServiceName[], context: Context): Promise<StartedServices> {
  if (names.length === 0) return {};
  if (context.mode !== 'process') {
    const noDocker = await whyNoDocker();
    if (noDocker === undefined) {
      try {
        return await startInDocker(names, context);
      } catch (error) {
        if (context.mode === 'docker' || !(error instanceof Unavailable) || error.code !== 'stack-compose') throw error;
        context.reporter.line(`${error.message}; starting local processes instead`);
      }
    } else if (context.mode === 'docker') {
      throw new Unavailable('stack-docker', noDocker);
    }
  }
  return startProcesses(names, context);
}

async function startInDocker(names: readonly ServiceName[], context: Context): Promise<StartedServices> {
  const running = await runningContainers(context.root);
  const absent = names.filter((name) => !running.includes(name));
  await requireFreePorts(absent, context);
  const startedMs = performance.now();
  if (absent.length > 0) {
    context.reporter.line(`starting ${absent.join(', ')} with docker compose`);
    try {
      await startContainers(context.root, absent, context.reporter);
    } catch (error) {
      await removeContainers(context.root, absent);
      throw error;
    }
  }
  await Promise.all(names.map((name) => untilReady(name, context, async () => true)));
  context.reporter.line(`${names.join(', ')} ready after ${seconds(startedMs)}`);
  return Object.fromEntries(
    absent.map((name) => [name, { from: 'docker', address: localAddress(name, context.ports) }]),
  );
}

async function startProcesses(names: readonly ServiceName[], context: Context): Promise<StartedServices> {
  await requireFreePorts(names, context);
  const programs = await preparePrograms(context.root, names, context.ports, context.reporter);
  const startedMs = performance.now();
  context.reporter.line(`starting ${names.join(', ')} as local processes`);
  const started: StartedServices = {};
  try {
    for (const name of names) {
      const program = programs[name];
      if (program === undefined) continue;
      const log = join(dataFolder(context.root, name), 'out.log');
      const running = await startProcess(program, log);
      started[name] = { from: 'process', address: localAddress(name, context.ports), log, ...running };
      // At once: should this process be killed now, the next `down` still knows what to stop.
      await writeState(context.root, { addresses: addressesOf(context), started });
    }
    await Promise.all(
      Object.entries(started).map(async ([name, mine]) => {
        if (mine.from !== 'process') return;
        await untilReady(name as ServiceName, context, () => isRunning(mine), mine.log);
        context.reporter.line(`${name} ready after ${seconds(startedMs)}`);
      }),
    );
    return started;
  } catch (error) {
    await stopProcesses(started);
    await removeState(context.root);
    throw error;
  }
}

async function requireFreePorts(names: readonly ServiceName[], context: Context): Promise<void> {
  for (const name of names) {
    for (const port of portsUsed(name, context.ports)) {
      if (!(await portTaken(port))) continue;
      throw new Unavailable(
        'stack-port-taken',
        `port ${port}, wanted for ${name}, is taken by something that this checkout did not start: ` +
          `stop that, or use it with ${ADDRESS_VARIABLE[name]}=…, or choose another port with ${PORT_VARIABLE[name]}=…`,
      );
    }
  }
}

async function untilReady(name: ServiceName, context: Context, alive: () => Promise<boolean>, log?: string) {
  const address = localAddress(name, context.ports);
  const see = log === undefined ? '' : `; see ${log}`;
  const giveUpMs = performance.now() + READY_MS_MAX;
  for (;;) {
    const problem = await probe(name, address);
    if (problem === undefined) return;
    if (!(await alive())) throw new Unavailable('stack-ended', `${name} ended while starting${see}`);
    if (performance.now() > giveUpMs) {
      throw new Unavailable('stack-slow', `${name} at ${address} was not ready within 120 s: ${problem}${see}`);
    }
    await sleep(POLL_MS);
  }
}

async function stopStarted(context: Context, started: StartedServices): Promise<readonly ServiceName[]> {
  const names = SERVICES.filter((name) => started[name] !== undefined);
  const inDocker = names.filter((name) => started[name]?.from === 'docker');
  if (names.length > 0) context.reporter.line(`stopping ${names.join(', ')}`);
  await stopProcesses(started);
  // A daemon that is gone took its containers with it.
  if (inDocker.length > 0 && (await whyNoDocker()) === undefined) await removeContainers(context.root, inDocker);
  await rm(join(stackFolder(context.root), 'stack'), { recursive: true, force: true });
  await removeState(context.root);
  return names;
}

async function stopProcesses(started: StartedServices): Promise<void> {
  await Promise.all(
    Object.values(started).map((mine) => (mine.from === 'process' ? stopProcess(mine) : Promise.resolve())),
  );
}

function stackOf(addresses: Addresses, started: readonly ServiceName[], context: Context): Stack {
  const stop = async () => {
    if (started.length > 0) await stopStack(context);
  };
  return { addresses, variables: addressVariables(addresses), started, stop };
}
