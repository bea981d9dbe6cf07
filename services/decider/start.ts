/**
 * Puts a decider together and starts it: state from the log, buffers to it, HTTP and gRPC in front. Chooses no
 * implementation, so that it runs on any log; port 0 takes a free one.
 */
import type { AddressInfo } from 'node:net';
import type { Codecs, SchemaSource } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import { Unavailable } from '../core/errors.ts';
import { BatchAppender } from '../platform/log/batch-appender.ts';
import type { Log } from '../platform/log/port.ts';
import type { Logger } from '../platform/logging.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Mirrors } from '../platform/mirror/mirrors.ts';
import { SchemaMirror } from '../platform/mirror/schemas.ts';
import { Access } from './access.ts';
import { type Clock, Decider } from './decider.ts';
import { GrpcServer } from './grpc.ts';
import { createHttpServer } from './http.ts';
import { Measures } from './measures.ts';
import { type Readiness, readinessOf } from './readiness.ts';
import { ServedExperiments } from './served-experiments.ts';
import { StateKeeper } from './state-keeper.ts';
import { uuidV7 } from './uuid-v7.ts';

export interface DeciderParts {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly schemas: SchemaSource;
  readonly codecs: Codecs;
  /** Perhaps none in it; stopped with the decider. */
  readonly mirrors: Mirrors;
  readonly clock: Clock;
  /** At least 10 bytes of chance, for ids. */
  randomBytes(): Uint8Array;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** The state cannot be kept up to date any more: the process should stop loudly. */
  failed(error: unknown): void;
}

export interface DeciderSettings {
  readonly host: string;
  /** 0 for any that is free. */
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Asked of every caller when set. */
  readonly token: string | null;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
  readonly bodyBytesMax: number;
  readonly requestMsMax: number;
  readonly batchRequestsMax: number;
  readonly rewardMsMax: number;
  readonly lingerMs: number;
  /** Of each of the two buffers, decisions and rewards. */
  readonly bufferRecordsMax: number;
  readonly bufferBytesMax: number;
  /** How long the log may take at start before the mirrors are read. */
  readonly logWaitMs: number;
  /** For requests that run, and again for what is buffered. */
  readonly drainMsMax: number;
}

export const DEFAULT_SETTINGS: DeciderSettings = {
  host: '127.0.0.1',
  httpPort: 8080,
  grpcPort: 50_051,
  token: null,
  tls: null,
  bodyBytesMax: 1024 * 1024,
  requestMsMax: 10_000,
  batchRequestsMax: 1_000,
  rewardMsMax: 5_000,
  lingerMs: 5,
  bufferRecordsMax: 20_000,
  bufferBytesMax: 64 * 1024 * 1024,
  logWaitMs: 3_000,
  drainMsMax: 5_000,
};

export interface RunningDecider {
  readonly decider: Decider;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Resolves when all that was in the log at start has been read. */
  readonly caughtUp: Promise<void>;
  readonly state: StateKeeper;
  readiness(): Readiness;
  /** Takes no more requests, answers those that run, puts what is buffered on the log, and closes. */
  stop(): Promise<void>;
}

/** Listens at once and answers /ready; serves as soon as definitions are known. @throws Unavailable `port`. */
export async function startDecider(parts: DeciderParts, settings: DeciderSettings): Promise<RunningDecider> {
  const { log, topics, codecs, clock, metrics, logger, mirrors } = parts;
  const served = new ServedExperiments((experimentId, error) =>
    measures.unusable(`snapshot of ${experimentId}`, error),
  );
  const measures: Measures = new Measures(metrics, logger, {
    served: () => served.all(),
    nowMs: () => clock.nowMs(),
    bufferDepth: (topic) => (topic === 'decisions' ? decisions : rewards).depth,
  });
  const decisions = new BatchAppender({
    ...settings,
    log,
    topic: topics.decisions,
    observer: measures.appending('decisions'),
  });
  const rewards = new BatchAppender({
    ...settings,
    log,
    topic: topics.rewards,
    observer: measures.appending('rewards'),
  });
  const state = new StateKeeper({
    log,
    topics,
    codecs,
    served,
    mirrors,
    schemaMirror: new SchemaMirror(parts.schemas, topics, mirrors),
    logWaitMs: settings.logWaitMs,
    observer: {
      unavailable: (what, error) => measures.away(what, error),
      unusable: (what, error) => measures.unusable(what, error),
      failed: (error) => parts.failed(error),
    },
  });
  const decider = new Decider({
    ...settings,
    served,
    codecs,
    decisions,
    rewards,
    knowsDefinitions: () => state.origin !== 'none',
    clock,
    newId: (timeMs) => uuidV7(timeMs, parts.randomBytes()),
    observer: measures,
  });
  let stopping = false;
  const readiness = () => readinessOf({ origin: state.origin, stopping, served: served.all(), nowMs: clock.nowMs() });
  const front = await openFront(parts, settings, { decider, measures, readiness });
  return {
    decider,
    httpPort: front.httpPort,
    grpcPort: front.grpcPort,
    caughtUp: state.start(),
    state,
    readiness,
    async stop() {
      stopping = true;
      await front.close();
      const flushMsMax = settings.drainMsMax;
      await Promise.all([decisions.stop({ flushMsMax }), rewards.stop({ flushMsMax })]);
      await state.stop();
      await mirrors.stop();
    },
  };
}

interface Front {
  readonly httpPort: number;
  readonly grpcPort: number;
  close(): Promise<void>;
}

async function openFront(
  { clock, metrics, logger }: DeciderParts,
  settings: DeciderSettings,
  { decider, measures, readiness }: { decider: Decider; measures: Measures; readiness(): Readiness },
): Promise<Front> {
  const shared = {
    ...settings,
    decider,
    access: new Access(settings.token),
    logger,
    refused: (request: string, code: string) => measures.refused(request, code),
  };
  const http = createHttpServer({ ...shared, metrics, readiness, nowMs: () => clock.nowMs() });
  const grpc = new GrpcServer({ ...shared, isReady: () => readiness().ready });
  const { host } = settings;
  const close = async () => {
    await Promise.all([http.close(), grpc.stop(settings)]);
  };
  try {
    await http.listen({ host, port: settings.httpPort });
    const grpcPort = await grpc.listen(host, settings.grpcPort);
    return { httpPort: (http.server.address() as AddressInfo).port, grpcPort, close };
  } catch (cause) {
    await close();
    if (cause instanceof Unavailable) throw cause;
    const message = `HTTP cannot listen on ${host}:${settings.httpPort}: ${(cause as Error).message}`;
    throw new Unavailable('port', message, { cause });
  }
}
