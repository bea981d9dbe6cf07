/**
 * Purpose: asks each service, in its own protocol, whether it answers. Owns nothing.
 * Not a client: one request a probe and no retries, in plain text only, so that a probe tells of the service alone.
 */
import { connect, type Socket } from 'node:net';
import type { ServiceName } from './services.ts';

const TIMEOUT_MS = 2_000;

/** Undefined when the service at `address` answers, else one line saying what came back. */
export async function probe(name: ServiceName, address: string): Promise<string | undefined> {
  try {
    switch (name) {
      case 'kafka':
        return await firstThatAnswers(address.split(','), probeBroker);
      case 'registry':
        return await probeRegistry(address);
      case 'redis':
        return await probeRedis(new URL(address));
    }
  } catch (error) {
    return reasonOf(error);
  }
}

/** Whether anything at all accepts connections on this loopback port. */
export async function portTaken(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: '127.0.0.1', port });
  socket.setTimeout(TIMEOUT_MS, () => resolve(true));
  socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

async function firstThatAnswers(brokers: string[], ask: (broker: string) => Promise<string | undefined>) {
  const answers = await Promise.all(brokers.map((broker) => ask(broker.trim()).catch(reasonOf)));
  return answers.includes(undefined) ? undefined : answers.join('; ');
}

/**
 * Kafka's Metadata request, version 1, for no topics; the answer counts the brokers that are up.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_Metadata
 */
async function probeBroker(broker: string): Promise<string | undefined> {
  const request = Buffer.alloc(18);
  request.writeInt32BE(14, 0); // bytes that follow
  request.writeInt16BE(3, 4); // Metadata
  request.writeInt16BE(1, 6); // version
  request.writeInt32BE(1, 8); // correlation id
  request.writeInt16BE(-1, 12); // no client id
  request.writeInt32BE(0, 14); // no topics
  const { hostname, port } = new URL(`kafka://${broker}`);
  if (port === '') return `${broker} names no port`;
  const answer = await exchange({ host: hostname, port: Number(port) }, request, 12);
  return answer.readInt32BE(8) > 0 ? undefined : 'no broker is up yet';
}

async function probeRegistry(url: string): Promise<string | undefined> {
  const response = await fetch(`${url.replace(/\/$/, '')}/subjects`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const body = await response.text();
  return response.ok ? undefined : `GET /subjects answered ${response.status} ${body.slice(0, 80)}`;
}

async function probeRedis(url: URL): Promise<string | undefined> {
  const answer = await exchange({ host: url.hostname, port: Number(url.port || 6379) }, Buffer.from('PING\r\n'), 5);
  // A server that wants a password says so; it is up, and the password is its client's business.
  return /^(\+PONG|-NOAUTH)/.test(answer.toString()) ? undefined : `PING answered ${answer.toString().trim()}`;
}

/** Sends one request and resolves with the answer once it is at least `bytesMin` long. */
async function exchange(to: { host: string; port: number }, request: Buffer, bytesMin: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let answer = Buffer.alloc(0);
  const socket: Socket = connect(to, () => socket.write(request));
  socket.setTimeout(TIMEOUT_MS, () => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)));
  socket.on('error', reject).on('close', () => reject(new Error('connection closed without an answer')));
  socket.on('data', (bytes) => {
    answer = Buffer.concat([answer, bytes]);
    if (answer.length >= bytesMin) resolve(answer);
  });
  return promise.finally(() => socket.destroy());
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch wraps what went wrong; connect to a name with several addresses puts it in `errors`, with no message.
  const cause = error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join('; ');
  return cause.message;
}
