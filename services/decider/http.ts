/**
 * The decider over HTTP and JSON: the proto's calls under /v1, the growth team's plain endpoints, and what operators ask.
 * Every error is {status: "error", code, message}. Not here: what is decided.
 */
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { CroupierError, Invalid, Unavailable } from '../core/errors.ts';
import type { Logger } from '../platform/logging.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Access } from './access.ts';
import type { Decider } from './decider.ts';
import { growthRoutes } from './http-growth.ts';
import { batchResponse, decideResponse, readBatchRequest, readDecideRequest, readRewardRequest } from './messages.ts';
import type { Readiness } from './readiness.ts';

export interface HttpOptions {
  readonly decider: Decider;
  readonly access: Access;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly bodyBytesMax: number;
  /** For one request, from its first byte to its last. */
  readonly requestMsMax: number;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
  readiness(): Readiness;
  nowMs(): number;
  /** A request was answered with an error. */
  refused(route: string, code: string): void;
}

/** Open without a token: they tell no decision and change nothing. */
const OPEN_PATHS: readonly string[] = ['/health', '/ready', '/metrics'];

export function createHttpServer(options: HttpOptions): FastifyInstance {
  const { access, bodyBytesMax, requestMsMax, tls } = options;
  const server = fastify({
    bodyLimit: bodyBytesMax,
    requestTimeout: requestMsMax,
    // User-given keys go into Maps, where they mean nothing.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
    forceCloseConnections: 'idle',
    ...(tls === null ? {} : { https: tls }),
  }) as FastifyInstance;
  server.addHook('onRequest', async (request, reply) => {
    const path = request.url.split('?', 1)[0]!;
    if (OPEN_PATHS.includes(path) || access.allows(request.headers.authorization)) return;
    options.refused(routeOf(request), 'unauthenticated');
    return reply.code(401).send(errorBody('unauthenticated', 'a bearer token is needed and was not given'));
  });
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send(errorBody('unknown-path', `there is no ${request.method} ${request.url.split('?', 1)[0]}`)),
  );
  server.setErrorHandler((error: Error, request, reply) => {
    const answer = answerTo(error);
    options.refused(routeOf(request), answer.code);
    if (answer.status >= 500 && !(error instanceof Unavailable)) options.logger.error({ err: error }, 'request failed');
    return reply.code(answer.status).send(errorBody(answer.code, answer.message));
  });
  protoRoutes(server, options.decider);
  growthRoutes(server, options.decider);
  operatorRoutes(server, options);
  return server;
}

function protoRoutes(server: FastifyInstance, decider: Decider): void {
  server.post('/v1/decide', async ({ body }) => decideResponse(decider.decide(readDecideRequest(body))));
  server.post('/v1/decide-batch', async ({ body }) =>
    batchResponse(decider.decideBatch(readBatchRequest(body), readDecideRequest)),
  );
  server.post('/v1/reward', async ({ body }) => {
    const { rewardId } = await decider.reward(readRewardRequest(body));
    return { rewardId };
  });
}

function operatorRoutes(server: FastifyInstance, { metrics, readiness, nowMs }: HttpOptions): void {
  server.get('/health', async () => ({ status: 'ok', timestamp: new Date(nowMs()).toISOString() }));
  server.get('/ready', async (_request, reply) => {
    const state = readiness();
    return reply.code(state.ready ? 200 : 503).send(state);
  });
  server.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await metrics.render();
    return reply.type(contentType).send(body);
  });
}

const NOT_FOUND: readonly string[] = ['unknown-experiment', 'experiment-deleted'];

function answerTo(error: Error): { readonly status: number; readonly code: string; readonly message: string } {
  if (error instanceof Invalid) {
    return { status: NOT_FOUND.includes(error.code) ? 404 : 400, code: error.code, message: error.message };
  }
  if (error instanceof Unavailable) return { status: 503, code: error.code, message: error.message };
  // Fastify's own refusals: a body too large, no JSON, an unknown content type.
  const status = 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status === 413) return { status, code: 'too-large', message: error.message };
  if (status >= 400 && status < 500) return { status, code: 'malformed', message: error.message };
  const code = error instanceof CroupierError ? error.code : 'internal';
  return { status: 500, code, message: 'internal error; the log of the decider says more' };
}

/** One of our routes, never what the caller wrote. */
function routeOf({ routeOptions }: FastifyRequest): string {
  return routeOptions.url ?? 'unknown';
}

function errorBody(code: string, message: string): object {
  return { status: 'error', code, message };
}
