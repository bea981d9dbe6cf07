/**
 * The decider over gRPC: croupier.v1.Decider, and grpc.health.v1.Health/Check for load balancers.
 * Errors are statuses; the stable code stands in the trailing metadata `croupier-code`.
 */
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { CroupierError, Invalid, Unavailable } from '../core/errors.ts';
import type { Logger } from '../platform/logging.ts';
import type { Access } from './access.ts';
import type { Decider } from './decider.ts';
import { batchResponse, decideResponse, readBatchRequest, readDecideRequest, readRewardRequest } from './messages.ts';

export interface GrpcOptions {
  readonly decider: Decider;
  readonly access: Access;
  readonly logger: Logger;
  readonly bodyBytesMax: number;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
  isReady(): boolean;
  /** A call was answered with an error. */
  refused(method: string, code: string): void;
}

type Answer = (message: object) => object | Promise<object>;

const PROTO = fileURLToPath(new URL('../../schemas/proto/croupier/v1/decider.proto', import.meta.url));

/** https://github.com/grpc/grpc/blob/master/doc/health-checking.md, the part that is answered here. */
const HEALTH: Parameters<typeof protoLoader.fromJSON>[0] = {
  nested: {
    grpc: {
      nested: {
        health: {
          nested: {
            v1: {
              nested: {
                HealthCheckRequest: { fields: { service: { type: 'string', id: 1 } } },
                HealthCheckResponse: {
                  fields: { status: { type: 'ServingStatus', id: 1 } },
                  nested: { ServingStatus: { values: { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2 } } },
                },
                Health: {
                  methods: {
                    Check: { requestType: 'HealthCheckRequest', responseType: 'HealthCheckResponse', comment: '' },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};

export class GrpcServer {
  private readonly options: GrpcOptions;
  private readonly server: grpc.Server;

  /** Reads the proto file. */
  constructor(options: GrpcOptions) {
    this.options = options;
    this.server = new grpc.Server({ 'grpc.max_receive_message_length': options.bodyBytesMax });
    const { decider } = options;
    const messages = protoLoader.loadSync(PROTO, { longs: String, enums: String, defaults: true });
    this.server.addService(serviceOf(messages, 'croupier.v1.Decider'), {
      Decide: this.unary((message) => decideResponse(decider.decide(readDecideRequest(message)))),
      DecideBatch: this.unary((message) =>
        batchResponse(decider.decideBatch(readBatchRequest(message), readDecideRequest)),
      ),
      Reward: this.unary(async (message) => {
        const { rewardId } = await decider.reward(readRewardRequest(message));
        return { rewardId };
      }),
    });
    this.server.addService(serviceOf(protoLoader.fromJSON(HEALTH, { enums: String }), 'grpc.health.v1.Health'), {
      Check: (_call: unknown, answer: grpc.sendUnaryData<object>) =>
        answer(null, { status: options.isReady() ? 'SERVING' : 'NOT_SERVING' }),
    });
  }

  /** @returns the port, also when 0 was asked for. @throws Unavailable when it is taken. */
  listen(host: string, port: number): Promise<number> {
    const { tls } = this.options;
    const credentials =
      tls === null
        ? grpc.ServerCredentials.createInsecure()
        : grpc.ServerCredentials.createSsl(null, [{ cert_chain: tls.cert, private_key: tls.key }]);
    return new Promise((resolve, reject) => {
      this.server.bindAsync(`${host}:${port}`, credentials, (error, bound) => {
        if (error === null) resolve(bound);
        else
          reject(new Unavailable('port', `gRPC cannot listen on ${host}:${port}: ${error.message}`, { cause: error }));
      });
    });
  }

  /** Takes no new calls and lets those that run end; cuts them off when the time is over. */
  stop({ drainMsMax }: { readonly drainMsMax: number }): Promise<void> {
    return new Promise((resolve) => {
      const deadline = setTimeout(() => this.server.forceShutdown(), drainMsMax);
      this.server.tryShutdown(() => {
        clearTimeout(deadline);
        resolve();
      });
    });
  }

  private unary(answer: Answer): grpc.handleUnaryCall<object, object> {
    return (call, respond) => {
      this.call(call, answer).then(
        (message) => respond(null, message),
        (error: unknown) => {
          const failed = this.answerTo(error);
          this.options.refused(call.getPath(), String(failed.metadata.get(CODE)[0]));
          respond(failed);
        },
      );
    };
  }

  private async call(call: grpc.ServerUnaryCall<object, object>, answer: Answer): Promise<object> {
    const authorization = call.metadata.get('authorization')[0];
    if (!this.options.access.allows(authorization?.toString())) throw new Unauthenticated();
    return answer(call.request);
  }

  private answerTo(error: unknown): Partial<grpc.StatusObject> & { readonly metadata: grpc.Metadata } {
    if (error instanceof Invalid || error instanceof Unavailable)
      return status(statusOf(error), error.code, error.message);
    if (error instanceof Unauthenticated) return status(grpc.status.UNAUTHENTICATED, 'unauthenticated', error.message);
    this.options.logger.error({ err: error }, 'call failed');
    const code = error instanceof CroupierError ? error.code : 'internal';
    return status(grpc.status.INTERNAL, code, 'internal error; the log of the decider says more');
  }
}

/** The stable code in the trailing metadata. */
const CODE = 'croupier-code';

class Unauthenticated extends Error {
  override readonly message = 'a bearer token is needed and was not given';
}

function status(
  code: grpc.status,
  ours: string,
  details: string,
): Partial<grpc.StatusObject> & { readonly metadata: grpc.Metadata } {
  const metadata = new grpc.Metadata();
  metadata.set(CODE, ours);
  return { code, details, metadata };
}

function statusOf(error: Invalid | Unavailable): grpc.status {
  switch (error.code) {
    case 'unknown-experiment':
    case 'experiment-deleted':
      return grpc.status.NOT_FOUND;
    case 'buffer-full':
    case 'batch-range':
      return grpc.status.RESOURCE_EXHAUSTED;
    default:
      return error instanceof Unavailable ? grpc.status.UNAVAILABLE : grpc.status.INVALID_ARGUMENT;
  }
}

/** @param name as in the proto file. */
function serviceOf(definition: protoLoader.PackageDefinition, name: string): grpc.ServiceDefinition {
  return definition[name] as grpc.ServiceDefinition;
}
