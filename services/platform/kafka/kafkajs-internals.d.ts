/**
 * The few inner parts of kafkajs that connection.ts and fetch.ts stand on, typed as far as they use them. kafkajs is
 * pinned to exactly 2.2.4, its last version, so these shapes cannot move under us.
 */

declare module 'kafkajs/src/cluster/index.js' {
  import type { Broker, ClusterOptions } from 'kafkajs-internals';

  export default class Cluster {
    constructor(options: ClusterOptions);
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    findBroker(options: { nodeId: number }): Promise<Broker>;
    readonly brokerPool: {
      readonly metadata: {
        readonly brokers: readonly { readonly nodeId: number }[];
        readonly topicMetadata: readonly {
          readonly topic: string;
          readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
        }[];
      } | null;
      refreshMetadata(topics: readonly string[]): Promise<void>;
    };
  }
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    readonly throttledUntil: number;
    throttleCheckTimeoutId: NodeJS.Timeout | null;
    checkPendingRequests(): void;
    scheduleCheckPendingRequests(): void;
  }
}

declare module 'kafkajs/src/network/socketFactory.js' {
  import type { Socket } from 'node:net';

  export type SocketFactory = (options: { host: string; port: number; ssl?: unknown; onConnect: () => void }) => Socket;
  export default function defaultSocketFactory(): SocketFactory;
}

declare module 'kafkajs/src/protocol/requests/fetch/v11/request.js' {
  export interface FetchRequest {
    replicaId: number;
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    isolationLevel: number;
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number; fetchOffset: number; maxBytes: number }[];
    }[];
  }
  export default function fetchRequest(request: FetchRequest): unknown;
}

declare module 'kafkajs/src/protocol/error.js' {
  const protocolError: { createErrorFromCode(code: number): Error & { type: string; retriable: boolean } };
  export default protocolError;
}

declare module 'kafkajs-internals' {
  import type { Logger } from 'kafkajs';
  import type { SocketFactory } from 'kafkajs/src/network/socketFactory.js';

  export interface ClusterOptions {
    logger: Logger;
    socketFactory: SocketFactory;
    brokers: readonly string[];
    ssl: unknown;
    sasl: unknown;
    clientId: string;
    connectionTimeout: number;
    requestTimeout: number;
    enforceRequestTimeout: boolean;
    metadataMaxAge: number;
    allowAutoTopicCreation: boolean;
    isolationLevel: number;
    retry: { retries: number; initialRetryTime: number; maxRetryTime: number };
  }

  export interface Message {
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers: Readonly<Record<string, string>>;
  }

  export interface Broker {
    readonly connectionPool: {
      /** Sends one request; `decode` is given the answer's bytes after the correlation id. */
      send<Answer>(protocol: {
        request: unknown;
        response: { decode(answer: Buffer): Promise<Answer>; parse(decoded: Answer): Promise<Answer> };
        requestTimeout: number;
      }): Promise<Answer>;
    };
    produce(request: {
      acks: number;
      timeout: number;
      producerId?: string;
      producerEpoch?: number;
      topicData: readonly {
        topic: string;
        partitions: readonly { partition: number; firstSequence: number; messages: readonly Message[] }[];
      }[];
    }): Promise<{ topics: readonly { partitions: readonly { baseOffset: string }[] }[] }>;
    findGroupCoordinator(request: {
      groupId: string;
      coordinatorType: 0 | 1;
    }): Promise<{ coordinator: { nodeId: number } }>;
    initProducerId(request: {
      transactionalId: string;
      transactionTimeout: number;
    }): Promise<{ producerId: string; producerEpoch: number }>;
    listOffsets(request: {
      isolationLevel: number;
      topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: number }[] }[];
    }): Promise<{ responses: readonly { partitions: readonly { partition: number; offset: string }[] }[] }>;
    joinGroup(request: {
      groupId: string;
      sessionTimeout: number;
      rebalanceTimeout: number;
      memberId: string;
      groupProtocols: readonly { name: string; metadata: Buffer }[];
    }): Promise<{
      generationId: number;
      leaderId: string;
      memberId: string;
      members: readonly { memberId: string; memberMetadata: Buffer }[];
    }>;
    syncGroup(request: {
      groupId: string;
      generationId: number;
      memberId: string;
      groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
    }): Promise<{ memberAssignment: Buffer }>;
    heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
    offsetCommit(request: {
      groupId: string;
      groupGenerationId: number;
      memberId: string;
      topics: readonly {
        topic: string;
        partitions: readonly { partition: number; offset: string }[];
      }[];
    }): Promise<unknown>;
    leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  }
}
