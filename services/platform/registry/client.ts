/**
 * Calls to a schema registry with Confluent's REST interface: one deadline, one retry rule, one mapping of errors.
 * The kafkajs client registers and looks up; what it lacks (levels of compatibility, lists of versions) is plain REST.
 * It is never asked to decode: it compiles whatever schema an id names.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { z } from 'zod';
import { Invalid, Unavailable } from '../../core/errors.ts';

export interface RegistryOptions {
  /** Base of the REST interface, such as http://127.0.0.1:8081/apis/ccompat/v7. */
  readonly url: string;
  /** `null` without authentication. */
  readonly auth: { readonly username: string; readonly password: string } | null;
  /** For one request. */
  readonly timeoutMs: number;
  /** Tries of one call before it is Unavailable; at least 1. */
  readonly triesMax: number;
}

export interface SubjectVersion {
  readonly id: number;
  /** The schema as JSON text. */
  readonly schema: string;
}

const RETRY_DELAY_MS = 200;

export class RegistryClient {
  private readonly options: RegistryOptions;
  private readonly registry: SchemaRegistry;

  constructor(options: RegistryOptions) {
    this.options = options;
    const { url, auth, timeoutMs } = options;
    this.registry = new SchemaRegistry({
      host: url.replace(/\/+$/, ''),
      retry: { retries: 0 },
      middlewares: [() => ({ prepareRequest: async (next) => (await next()).enhance({ timeout: timeoutMs }) })],
      ...(auth === null ? {} : { auth: { ...auth } }),
    });
  }

  /** @returns its id, new or as it was. @throws Invalid `schema-incompatible`; Unavailable. */
  register(subject: string, schema: string, compatibility: string): Promise<number> {
    return this.call(`register ${subject}`, async () => {
      await this.request('PUT', `/config/${encodeURIComponent(subject)}`, { compatibility });
      const { id } = await this.registry.register(
        { type: SchemaType.AVRO, schema },
        { subject, compatibility: compatibility as never },
      );
      return id;
    });
  }

  /** @returns the id of exactly this schema under the subject, `null` when it is not there. @throws Unavailable. */
  async idOf(subject: string, schema: string): Promise<number | null> {
    return this.call(`look up ${subject}`, async () => {
      try {
        return await this.registry.getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema });
      } catch (error) {
        // How the client says 404; every other answer carries its status.
        if (error instanceof Error && error.name === 'ConfluentSchemaRegistryError') return null;
        throw error;
      }
    });
  }

  /** @returns the level of compatibility that holds for the subject. @throws Unavailable. */
  async compatibility(subject: string): Promise<string> {
    const path = `/config/${encodeURIComponent(subject)}?defaultToGlobal=true`;
    const answer = z.object({ compatibilityLevel: z.string() });
    return this.call(
      `read the compatibility of ${subject}`,
      async () => answer.parse(await this.request('GET', path)).compatibilityLevel,
    );
  }

  /** @returns the numbers of the subject's versions, deleted ones included where the registry can tell. */
  async versions(subject: string): Promise<readonly number[]> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions?deleted=true`;
    return this.call(`list versions of ${subject}`, async () =>
      z.array(z.int()).parse(await this.request('GET', path)),
    );
  }

  async version(subject: string, version: number): Promise<SubjectVersion> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}?deleted=true`;
    const answer = z.object({ id: z.int(), schema: z.string() });
    return this.call(`read version ${version} of ${subject}`, async () =>
      answer.parse(await this.request('GET', path)),
    );
  }

  private async request(method: 'GET' | 'PUT', path: string, body?: object): Promise<unknown> {
    const { url, auth, timeoutMs } = this.options;
    const basic = auth && Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
    const response = await fetch(url.replace(/\/+$/, '') + path, {
      method,
      headers: {
        'content-type': 'application/vnd.schemaregistry.v1+json',
        ...(basic === null ? {} : { authorization: `Basic ${basic}` }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.ok) return response.json();
    throw Object.assign(new Error(`${method} ${path}: ${response.status} ${await response.text()}`), {
      status: response.status,
    });
  }

  private async call<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        const refused = refusal(error);
        const message = `schema registry ${this.options.url}: ${what}: ${(error as Error).message}`;
        if (refused !== null) throw new Invalid(refused, message, { cause: error });
        if (tries === this.options.triesMax) {
          throw new Unavailable('registry-unavailable', `${message} (${tries} tries)`, { cause: error });
        }
        await delay(RETRY_DELAY_MS * 2 ** (tries - 1));
      }
    }
  }
}

/** Request timeout and Too Many Requests; and 400, by which the kafkajs client reports a connection that failed. */
const WORTH_RETRYING: readonly number[] = [400, 408, 429];

/** @returns a code when the registry said no; `null` when it said nothing, or that it cannot. */
function refusal(error: unknown): string | null {
  if (error instanceof z.ZodError) return 'registry-answer';
  const status = error instanceof Error && 'status' in error ? Number(error.status) : Number.NaN;
  if (status === 409) return 'schema-incompatible';
  if (status === 401 || status === 403) return 'registry-forbidden';
  return status >= 400 && status < 500 && !WORTH_RETRYING.includes(status) ? 'registry-refused' : null;
}
