/**
 * A product service's view of the decider: its gRPC interface, by the published protobuf file.
 */
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { SimulatedUnit } from '../../services/simulator/environment.ts';

const PROTO = fileURLToPath(new URL('../../schemas/proto/croupier/v1/decider.proto', import.meta.url));

export interface Dealt {
  readonly decisionId: string;
  readonly armIndex: number;
  readonly propensity: number;
  readonly reason: string;
  readonly snapshotVersion: number;
  readonly decidedAtMs: number;
}

interface DecideResponse {
  readonly decisionId: string;
  readonly slots: readonly { readonly armIndex: number; readonly propensity: number }[];
  readonly reason: string;
  readonly snapshotVersion: number;
  readonly decidedAtMs: number;
}

interface Stub {
  decide(
    request: object,
    options: object,
    callback: (error: ServiceError | null, response: DecideResponse) => void,
  ): void;
  close(): void;
}

const DEADLINE_MS = 5_000;

export class DeciderClient {
  private readonly stub: Stub;

  constructor(address: string) {
    const definition = loadSync(PROTO, { longs: Number, enums: String, defaults: true, oneofs: true });
    const loaded = loadPackageDefinition(definition) as unknown as {
      croupier: { v1: { Decider: new (address: string, credentials: unknown) => Stub } };
    };
    this.stub = new loaded.croupier.v1.Decider(address, credentials.createInsecure());
  }

  decide(experimentId: string, unit: SimulatedUnit): Promise<Dealt> {
    const context = Object.fromEntries([...unit.context].map(([name, value]) => [name, contextValue(value)]));
    const request = { experimentId, unitId: unit.unitId, context };
    return new Promise((resolve, reject) => {
      this.stub.decide(request, { deadline: Date.now() + DEADLINE_MS }, (error, response) => {
        if (error !== null) reject(error);
        else resolve({ ...response, ...response.slots[0]! });
      });
    });
  }

  close(): void {
    this.stub.close();
  }
}

function contextValue(value: boolean | number | string): object {
  if (typeof value === 'boolean') return { boolValue: value };
  return typeof value === 'number' ? { numberValue: value } : { stringValue: value };
}
