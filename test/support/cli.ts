/** The command line on an embedded log: runs commands and keeps what they print. */

import type { CliPorts, SchemaStanding } from '../../services/cli/ports.ts';
import { runCli } from '../../services/cli/program.ts';
import { createCodecs } from '../../services/contracts/codec.ts';
import { topicNames } from '../../services/contracts/keys.ts';
import { EmbeddedLog } from '../../services/platform/embedded/log.ts';
import { embeddedSchemaSource } from '../../services/platform/embedded/schema-source.ts';
import { readPosition, writePosition } from '../../services/platform/files/position.ts';
import { openRows } from '../../services/platform/files/rows.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CliWorld {
  readonly clock = { nowMs: Date.UTC(2026, 0, 1) };
  readonly log: EmbeddedLog;
  readonly topics = topicNames();
  readonly codecs = createCodecs(embeddedSchemaSource(this.topics), this.topics);
  readonly files = new Map<string, string>();
  /** By method and path; requests to anything else fail as a refused connection does. */
  readonly answers = new Map<
    string,
    (body: unknown, headers: Headers) => { readonly status?: number; readonly body: unknown }
  >();
  standings: SchemaStanding[] = [];
  /** How far this machine's clock is ahead of the log's. */
  skewMs = 0;
  readonly replays: (readonly string[])[] = [];
  readonly repartitions: (readonly string[])[] = [];
  readonly simulations: (readonly string[])[] = [];
  /** Instead of `answers`: the real one, for a decider that runs. */
  fetch: typeof fetch | null = null;
  /** Called when a position has been written, to end a backfill there. */
  afterPosition: () => void = () => {};
  /** What the terminal would have in its environment. */
  environment: Record<string, string> = {};

  /** @param log an empty one of its own unless given. */
  constructor(log?: EmbeddedLog) {
    this.log = log ?? new EmbeddedLog({ folder: null, now: () => this.clock.nowMs });
  }

  async run(...args: string[]): Promise<Ran> {
    let stdout = '';
    let stderr = '';
    const ports: CliPorts = {
      environment: this.environment,
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      fetch: this.fetch ?? ((url, init) => this.answer(new URL(String(url)), init)),
      version: '0.0.0-test',
      nowMs: () => this.clock.nowMs + this.skewMs,
      readFile: async (path) => this.files.get(path) ?? Promise.reject(new Error('no such file')),
      historyFiles: {
        openRows,
        readPosition,
        writePosition: async (path, position) => {
          await writePosition(path, position);
          this.afterPosition();
        },
      },
      progress: () => ({ update: () => {}, stop: () => {} }),
      connect: () => ({
        log: this.log,
        topics: this.topics,
        codecs: async () => this.codecs,
        registerSchemas: async () => [{ subject: 'decisions-value', id: 1, compatibility: 'BACKWARD_TRANSITIVE' }],
        schemaStandings: async () => this.standings,
        close: async () => {},
      }),
      replay: async (given) => {
        this.replays.push(given);
        return 3;
      },
      repartition: async (given) => {
        this.repartitions.push(given);
        return 5;
      },
      simulate: async (given) => {
        this.simulations.push(given);
        return 4;
      },
    };
    const code = await runCli(args, ports);
    return { code, stdout, stderr };
  }

  /** @returns the answer of a command that must do well, as JSON. */
  async json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run(...args, '--json');
    if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  private async answer(url: URL, init: RequestInit = {}): Promise<Response> {
    const answer = this.answers.get(`${init.method} ${url.pathname}${url.search}`);
    if (answer === undefined) throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
    const { status = 200, body } = answer(
      typeof init.body === 'string' ? JSON.parse(init.body) : null,
      new Headers(init.headers),
    );
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
  }
}
