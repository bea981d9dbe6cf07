/** A decider on a test world's log, a log that can be away, and callers of its HTTP and gRPC. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { rethrow, Unavailable } from '../../services/core/errors.ts';
import type { ArmId, Decision, ExperimentId, Reward } from '../../services/core/events.ts';
import {
  DEFAULT_SETTINGS,
  type DeciderParts,
  type DeciderSettings,
  type RunningDecider,
  startDecider,
} from '../../services/decider/start.ts';
import { embeddedSchemaSource } from '../../services/platform/embedded/schema-source.ts';
import type { Log } from '../../services/platform/log/port.ts';
import { readToEnd, startOf } from '../../services/platform/log/read-to-end.ts';
import { createLogger } from '../../services/platform/logging.ts';
import { createMetrics } from '../../services/platform/metrics.ts';
import { Mirrors } from '../../services/platform/mirror/mirrors.ts';
import type { Mirror } from '../../services/platform/mirror/port.ts';
import { experiment } from './core.ts';
import { World } from './world.ts';

export interface DeciderOverrides {
  readonly log?: Log;
  readonly mirrors?: readonly Mirror[];
  readonly settings?: Partial<DeciderSettings>;
  readonly parts?: Partial<DeciderParts>;
}

export function startTestDecider(world: World, overrides: DeciderOverrides = {}): Promise<RunningDecider> {
  return startDecider(
    {
      log: overrides.log ?? world.log,
      topics: world.topics,
      schemas: embeddedSchemaSource(world.topics),
      codecs: world.codecs,
      mirrors: new Mirrors(overrides.mirrors ?? [], { unavailable: () => {}, damaged: () => {} }),
      clock: { nowMs: () => world.clock.nowMs, monotonicMs: () => performance.now() },
      randomBytes: () => randomBytes(10),
      metrics: createMetrics({ service: 'decider', process: false }),
      logger: createLogger({ name: 'decider', level: 'silent' }),
      failed: rethrow,
      ...overrides.parts,
    },
    { ...DEFAULT_SETTINGS, httpPort: 0, grpcPort: 0, lingerMs: 1, drainMsMax: 2_000, ...overrides.settings },
  );
}

/** A log that can be away: then every call throws Unavailable, as a broker that does not answer. */
export function awayable(log: Log): { readonly log: Log; away: boolean } {
  const state = { away: false };
  const guard = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const member = Reflect.get(object, name, object) as unknown;
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]) => {
          if (state.away && name !== 'close') throw new Unavailable('log-unavailable', 'away');
          return (await Reflect.apply(member, object, args)) as unknown;
        };
      },
    });
  const admin = guard(log.admin);
  return Object.assign(state, {
    log: {
      // Assigning and seeking touch no network, so they never fail.
      reader: () => {
        const reader = log.reader();
        return Object.assign(guard(reader), { assign: reader.assign.bind(reader), seek: reader.seek.bind(reader) });
      },
      writer: () => guard(log.writer()),
      soleWriter: async (name: string) => guard(await log.soleWriter(name)),
      membership: () => log.membership(),
      admin,
      close: () => log.close(),
    },
  });
}

/** What one input topic of a world holds, in order within each partition. */
export async function decisionsOn(world: World): Promise<Decision[]> {
  return read(world, world.topics.decisions, (bytes) => world.codecs.decision.decode(bytes));
}

export async function rewardsOn(world: World): Promise<Reward[]> {
  return read(world, world.topics.rewards, (bytes) => world.codecs.reward.decode(bytes));
}

async function read<T>(world: World, topic: string, decode: (bytes: Buffer) => T): Promise<T[]> {
  const values: T[] = [];
  for await (const { records } of readToEnd(world.log, await startOf(world.log, topic))) {
    for (const { value } of records) values.push(decode(value!));
  }
  return values;
}

/** Resolves when a condition holds that the event loop brings about. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

/** Resolves when the decider serves that version of the snapshot, or a later one. */
export async function servesVersion(running: RunningDecider, id: string, version: number): Promise<void> {
  const input = {
    experimentId: id as ExperimentId,
    unitId: 'u',
    context: new Map(),
    algorithm: null,
    eligibleArmIds: [],
    slots: 1,
  };
  await until(() => running.decider.explain(input).outcome.decision.snapshotVersion >= version);
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  readonly body: any;
}

export async function post(
  port: number,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

export async function get(port: number, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
}

const PROTO = fileURLToPath(new URL('../../schemas/proto/croupier/v1/decider.proto', import.meta.url));

export class GrpcCaller {
  private readonly client: grpc.Client;
  private readonly methods: grpc.ServiceDefinition;

  constructor(port: number) {
    const messages = protoLoader.loadSync(PROTO, { longs: Number, enums: String, defaults: true });
    this.methods = messages['croupier.v1.Decider'] as grpc.ServiceDefinition;
    this.client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  call(method: 'Decide' | 'DecideBatch' | 'Reward', request: object, metadata = new grpc.Metadata()): Promise<any> {
    const { path, requestSerialize, responseDeserialize } = this.methods[method]!;
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  }

  close(): void {
    this.client.close();
  }
}

/** What a test has to stop in the end, the last first. */
export type Stops = (() => Promise<void> | void)[];

/** Three arms in two slots, of which a fifth of the units is kept out. */
export const SLOTS = experiment({
  id: 'slots' as ExperimentId,
  arms: ['A', 'B', 'C'].map((id) => ({ id: id as ArmId, state: 'active', sinceVersion: 1, attributes: new Map() })),
  slots: 2,
  holdout: { share: 0.2, armId: 'B' as ArmId },
});

/** A world with three experiments, snapshots of their priors, and a decider that has read them. */
export async function setUpDecider(
  stops: Stops,
  overrides: DeciderOverrides = {},
): Promise<{ world: World; running: RunningDecider; http: number }> {
  const world = await World.create();
  await world.define(
    experiment(),
    SLOTS,
    experiment({
      id: 'aged' as ExperimentId,
      context: [{ kind: 'number', name: 'age', mean: 0, scale: 1 }],
      // So that a decision can be asked for twice.
      pendingExposure: false,
      policies: [
        {
          kind: 'linucb',
          parameters: new Map([
            ['alpha', 1],
            ['lambda', 1],
          ]),
        },
      ],
    }),
  );
  const learner = await world.learner();
  await learner.stop();
  const running = await startTestDecider(world, overrides);
  stops.push(() => running.stop());
  await running.caughtUp;
  return { world, running, http: running.httpPort };
}

/** Every decision that is on the log once the decider has stopped. */
export async function decisionsOnceStopped(world: World, running: RunningDecider) {
  await running.stop();
  return decisionsOn(world);
}
