import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CHECKOUT, ensureStack, stackStatus, stopStack } from '../../deploy/local/ensure.ts';
import { probe } from '../../deploy/local/probe.ts';
import { isRunning, startProcess, stopProcess } from '../../deploy/local/processes.ts';
import { withLock, writeState } from '../../deploy/local/state.ts';

let root: string;
let servers: Server[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'croupier-stack-'));
  servers = [];
  await copyFile(join(CHECKOUT, 'docker-compose.yml'), join(root, 'docker-compose.yml'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await stopStack({ root });
  for (const server of servers) server.close();
  await rm(root, { recursive: true, force: true });
});

describe('addresses given in the environment', () => {
  it('are used as they are, and what answers there is never stopped', async () => {
    const environment = await threeFakes();
    const stack = await ensureStack({ root, environment });
    expect(stack.started).toEqual([]);
    expect(stack.variables).toEqual(environment);
    await stack.stop();
    await stopStack({ root, environment });
    const statuses = await stackStatus({ root, environment });
    expect(statuses.map(({ from, problem }) => ({ from, problem }))).toEqual(
      Array(3).fill({ from: 'environment', problem: undefined }),
    );
  });

  it('are refused by name when nothing answers there', async () => {
    const environment = { ...(await threeFakes()), REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
    await expect(ensureStack({ root, environment })).rejects.toThrow(
      `REDIS_URL=${environment.REDIS_URL} does not answer`,
    );
  });

  it('are refused when something else answers there', async () => {
    const environment = await threeFakes();
    const registryAsRedis = { ...environment, REDIS_URL: environment.SCHEMA_REGISTRY_URL };
    await expect(ensureStack({ root, environment: registryAsRedis })).rejects.toThrow('PING answered HTTP');
  });
});

describe('what was started from a checkout', () => {
  it('is started once, found again, started anew when it died, and gone after down', async () => {
    const environment = await withoutRedis();
    await fakeRedisOnPath();

    const first = await ensureStack({ root, environment, mode: 'process' });
    expect(first.started).toEqual(['redis']);
    const pid = await redisPid(environment);

    const second = await ensureStack({ root, environment, mode: 'process' });
    expect(second.started).toEqual([]);
    await second.stop();
    expect(await redisPid(environment)).toBe(pid);

    process.kill(pid as number, 'SIGKILL');
    await vi.waitFor(async () => expect(await probe('redis', first.addresses.redis)).toBeDefined());
    const third = await ensureStack({ root, environment, mode: 'process' });
    expect(third.started).toEqual(['redis']);
    expect(await redisPid(environment)).not.toBe(pid);

    await third.stop();
    expect(await probe('redis', first.addresses.redis)).toBeDefined();
    expect(await readdir(join(root, '.croupier'))).toEqual([]);
  });

  it('is not stopped when its pid belongs to another process by now', async () => {
    const bystander = await startProcess(sleeper('bystander'), join(root, 'bystander.log'));
    const recorded = { from: 'process', address: 'x', log: 'x', pid: bystander.pid, marker: 'redis-server' } as const;
    await writeState(root, { addresses: { kafka: 'x', registry: 'x', redis: 'x' }, started: { redis: recorded } });
    await stopStack({ root });
    expect(await isRunning(bystander)).toBe(true);
    await stopProcess(bystander);
    expect(await isRunning(bystander)).toBe(false);
  });

  it('is not guessed from a state file that the stack did not write', async () => {
    await mkdir(join(root, '.croupier'));
    await writeFile(join(root, '.croupier', 'stack.json'), '{"started":{"redis":{"from":"process","pid":-1}}}');
    await expect(stackStatus({ root })).rejects.toMatchObject({ code: 'stack-state' });
    await rm(join(root, '.croupier'), { recursive: true });
  });
});

describe('what cannot be started', () => {
  it('for a port that a stranger holds names the port and the ways out', async () => {
    const stranger = await listen(createServer());
    const environment = { ...(await withoutRedis()), CROUPIER_STACK_REDIS_PORT: String(stranger) };
    await expect(ensureStack({ root, environment, mode: 'process' })).rejects.toThrow(
      new RegExp(`port ${stranger}, wanted for redis.*REDIS_URL=.*CROUPIER_STACK_REDIS_PORT=`),
    );
  });

  it('for want of a tool names the command that gets it', async () => {
    vi.stubEnv('PATH', root);
    const environment = await withoutRedis();
    await expect(ensureStack({ root, environment, mode: 'process' })).rejects.toThrow(
      'apt-get install -y redis-server',
    );
    await expect(ensureStack({ root, environment, mode: 'docker' })).rejects.toThrow('no Docker daemon answers');
  });

  it('for a wrong port or mode names the variable and what is allowed', async () => {
    const port = { CROUPIER_STACK_KAFKA_PORT: '70000' };
    await expect(ensureStack({ root, environment: port })).rejects.toThrow('want a port number from 1 to 65534');
    const mode = { CROUPIER_STACK_MODE: 'cloud' };
    await expect(ensureStack({ root, environment: mode })).rejects.toThrow('want one of auto, docker, process');
  });
});

describe('the lock', () => {
  it('lets one in at a time', async () => {
    const events: string[] = [];
    const work = (name: string) => async () => {
      events.push(`${name} in`);
      await new Promise(setImmediate);
      events.push(`${name} out`);
    };
    await Promise.all([withLock(root, work('a')), withLock(root, work('b'))]);
    const [first, second] = events[0] === 'a in' ? ['a', 'b'] : ['b', 'a'];
    expect(events).toEqual([`${first} in`, `${first} out`, `${second} in`, `${second} out`]);
  });

  it('left behind by a process that is dead is taken over', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    await writeFile(join(root, 'stack.lock'), String(pid));
    await expect(withLock(root, async () => 'done')).resolves.toBe('done');
  });
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return port;
}

/** Answers of the three services to the one question that each is asked. */
async function threeFakes() {
  const oneBroker = Buffer.from('00000016000000010000000100000001', 'hex');
  const kafka = await listen(createServer((socket) => socket.on('data', () => socket.write(oneBroker))));
  const registry = await listen(createHttpServer((_, response) => response.end('[]')));
  const redis = await listen(createServer((socket) => socket.on('data', () => socket.write('+PONG\r\n'))));
  return {
    KAFKA_BROKERS: `127.0.0.1:${kafka}`,
    SCHEMA_REGISTRY_URL: `http://127.0.0.1:${registry}`,
    REDIS_URL: `redis://127.0.0.1:${redis}`,
  };
}

async function withoutRedis() {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL } = await threeFakes();
  return { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, CROUPIER_STACK_REDIS_PORT: String(await freePort()) };
}

/** A redis-server that answers PING, and anything else, with PONG. */
async function fakeRedisOnPath(): Promise<void> {
  const file = join(root, 'redis-server');
  const script = `#!${process.execPath}
const port = process.argv[process.argv.indexOf('--port') + 1];
if (process.argv.includes('--version')) process.exit(0);
require('node:net').createServer((s) => s.on('data', () => s.write('+PONG\\r\\n'))).listen(Number(port), '127.0.0.1');
`;
  await writeFile(file, script);
  await chmod(file, 0o755);
  vi.stubEnv('PATH', `${root}:${process.env.PATH}`);
}

async function redisPid(environment: Record<string, string>): Promise<number | undefined> {
  return (await stackStatus({ root, environment })).find(({ name }) => name === 'redis')?.pid;
}

function sleeper(marker: string) {
  return { command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)', marker], marker };
}
