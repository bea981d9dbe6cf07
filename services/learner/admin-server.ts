/**
 * The learner's own port: /health, /ready and /metrics. Changes nothing.
 */
import { fastify } from 'fastify';
import type { Exposition } from '../platform/metrics.ts';

export interface AdminServerOptions {
  readonly host: string;
  readonly port: number;
  metrics(): Promise<Exposition>;
  /** `null` when ready, else why not. */
  notReady(): Promise<string | null>;
  nowMs(): number;
}

export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = fastify({ logger: false, bodyLimit: 1_000 });
  server.get('/health', () => ({ status: 'ok', timestamp: new Date(options.nowMs()).toISOString() }));
  server.get('/ready', async (_request, reply) => {
    const reason = await options.notReady();
    return reply
      .code(reason === null ? 200 : 503)
      .send(reason === null ? { status: 'ready' } : { status: 'not ready', reason });
  });
  server.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await options.metrics();
    return reply.type(contentType).send(body);
  });
  const address = await server.listen({ host: options.host, port: options.port });
  return { port: Number(new URL(address).port), close: () => server.close() };
}
