/** What a decider can be told. */

import { readFileSync } from 'node:fs';
import { Invalid } from '../core/errors.ts';
import { choice, defineConfig, duration, integer, text, type Values } from '../platform/config.ts';
import { CONNECTION_OPTIONS } from '../platform/connection-config.ts';
import { LOG_LEVELS } from '../platform/logging.ts';
import type { DeciderSettings } from './start.ts';

export const DECIDER_CONFIG = defineConfig({
  ...CONNECTION_OPTIONS,
  namespace: {
    env: 'CROUPIER_NAMESPACE',
    type: text(),
    default: null,
    doc: 'Text before the name of the snapshots topic, such as shadow.; serves what a learner of that namespace publishes',
  },
  host: {
    env: 'CROUPIER_DECIDER_HOST',
    type: text(),
    default: '127.0.0.1',
    doc: 'Address for HTTP and gRPC',
  },
  httpPort: {
    env: 'CROUPIER_DECIDER_HTTP_PORT',
    type: integer({ min: 0, max: 65_535 }),
    default: '8080',
    doc: 'Port for HTTP: decisions, /health, /ready and /metrics; 0 takes any free one',
  },
  grpcPort: {
    env: 'CROUPIER_DECIDER_GRPC_PORT',
    type: integer({ min: 0, max: 65_535 }),
    default: '50051',
    doc: 'Port for gRPC; 0 takes any free one',
  },
  token: {
    env: 'CROUPIER_DECIDER_TOKEN',
    type: text(),
    default: null,
    doc: 'Bearer token that callers must give, over HTTP and gRPC; /health, /ready, /metrics and gRPC health stay open',
    secret: true,
  },
  tlsCert: {
    env: 'CROUPIER_DECIDER_TLS_CERT',
    type: text(),
    default: null,
    unit: 'file',
    doc: 'Certificate chain in PEM; with it HTTP and gRPC are encrypted',
  },
  tlsKey: {
    env: 'CROUPIER_DECIDER_TLS_KEY',
    type: text(),
    default: null,
    unit: 'file',
    doc: 'Private key of the certificate in PEM',
  },
  redis: {
    env: 'REDIS_URL',
    type: text(),
    default: null,
    unit: 'url',
    doc: 'Redis that mirrors definitions and snapshots, for starting while Kafka is away',
    // It may have a password in it.
    secret: true,
  },
  data: {
    env: 'CROUPIER_DECIDER_DATA',
    type: text(),
    default: null,
    unit: 'folder',
    doc: 'Where copies of definitions and snapshots are kept, for starting while Kafka and Redis are away',
  },
  logWait: {
    env: 'CROUPIER_DECIDER_LOG_WAIT',
    type: duration({ minMs: 0, maxMs: 600_000 }),
    default: '3s',
    doc: 'How long Kafka may take at start before the copies are served',
  },
  bodyBytesMax: {
    env: 'CROUPIER_DECIDER_BODY_BYTES_MAX',
    type: integer({ min: 1_024, max: 64 * 1024 * 1024 }),
    default: '1048576',
    unit: 'bytes',
    doc: 'Largest request, over HTTP and gRPC',
  },
  requestTimeout: {
    env: 'CROUPIER_DECIDER_REQUEST_TIMEOUT',
    type: duration({ minMs: 10, maxMs: 600_000 }),
    default: '10s',
    doc: 'How long an HTTP caller may take to send its request',
  },
  batchRequestsMax: {
    env: 'CROUPIER_DECIDER_BATCH_REQUESTS_MAX',
    type: integer({ min: 1, max: 10_000 }),
    default: '1000',
    unit: 'requests',
    doc: 'Most requests in one batch',
  },
  rewardTimeout: {
    env: 'CROUPIER_DECIDER_REWARD_TIMEOUT',
    type: duration({ minMs: 10, maxMs: 600_000 }),
    default: '5s',
    doc: 'How long a reward may take to be on the log before its caller is told to repeat it',
  },
  linger: {
    env: 'CROUPIER_DECIDER_LINGER',
    type: duration({ minMs: 0, maxMs: 10_000 }),
    default: '5ms',
    doc: 'How long a decision or reward waits for others to share its way to the log',
  },
  bufferRecordsMax: {
    env: 'CROUPIER_DECIDER_BUFFER_RECORDS_MAX',
    type: integer({ min: 1, max: 10_000_000 }),
    default: '20000',
    unit: 'records',
    doc: 'Decisions, and likewise rewards, that may wait for the log; with no room the fallback arm is dealt, unlogged, and rewards are refused',
  },
  bufferBytesMax: {
    env: 'CROUPIER_DECIDER_BUFFER_BYTES_MAX',
    type: integer({ min: 1_048_576, max: 8 * 1024 * 1024 * 1024 }),
    default: '67108864',
    unit: 'bytes',
    doc: 'The same limit in bytes',
  },
  drainTimeout: {
    env: 'CROUPIER_DECIDER_DRAIN_TIMEOUT',
    type: duration({ minMs: 0, maxMs: 600_000 }),
    default: '5s',
    doc: 'At a stop, how long running requests get to end, and then buffered events to reach the log',
  },
  stopTimeout: {
    env: 'CROUPIER_DECIDER_STOP_TIMEOUT',
    type: duration({ minMs: 100, maxMs: 600_000 }),
    default: '15s',
    doc: 'How long a stop may take before the process exits all the same',
  },
  logLevel: { env: 'CROUPIER_LOG_LEVEL', type: choice(...LOG_LEVELS), default: 'info', doc: 'Least severe log line' },
});

export type DeciderValues = Values<(typeof DECIDER_CONFIG)['specs']>;

/** Reads the TLS files. @throws Invalid `config` when they cannot be read or only one is given. */
export function deciderSettings(values: DeciderValues): DeciderSettings {
  return {
    host: values.host,
    httpPort: values.httpPort,
    grpcPort: values.grpcPort,
    token: values.token,
    tls: tlsOf(values),
    bodyBytesMax: values.bodyBytesMax,
    requestMsMax: values.requestTimeout,
    batchRequestsMax: values.batchRequestsMax,
    rewardMsMax: values.rewardTimeout,
    lingerMs: values.linger,
    bufferRecordsMax: values.bufferRecordsMax,
    bufferBytesMax: values.bufferBytesMax,
    logWaitMs: values.logWait,
    drainMsMax: values.drainTimeout,
  };
}

function tlsOf({ tlsCert, tlsKey }: DeciderValues): DeciderSettings['tls'] {
  if (tlsCert === null && tlsKey === null) return null;
  if (tlsCert === null || tlsKey === null) {
    throw new Invalid('config', '--tls-cert and --tls-key go together, only one of them is given');
  }
  return { cert: readPem('--tls-cert', tlsCert), key: readPem('--tls-key', tlsKey) };
}

function readPem(flag: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Invalid('config', `${flag}: ${(cause as Error).message}`, { cause });
  }
}
