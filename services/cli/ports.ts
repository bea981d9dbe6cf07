/** What the commands need of the world; main.ts gives the real one, tests an embedded one. */
import type { Codecs } from '../contracts/codec.ts';
import type { TopicNames } from '../contracts/keys.ts';
import type { Position } from '../platform/files/position.ts';
import type { OpenRows } from '../platform/files/rows.ts';
import type { Log } from '../platform/log/port.ts';
import type { Progress, ProgressOptions } from '../platform/progress.ts';
import type { CliValues } from './config.ts';

/** One installation of Croupier. Nothing is connected to before it is used. */
export interface Installation {
  readonly log: Log;
  readonly topics: TopicNames;
  /** @throws Invalid `schema-not-registered`; Unavailable. */
  codecs(): Promise<Codecs>;
  /** Puts this version's schemas where producers and consumers find them; harmless to repeat. */
  registerSchemas(): Promise<readonly RegisteredSchema[]>;
  /** How this version's schemas stand there. @throws Unavailable. */
  schemaStandings(): Promise<readonly SchemaStanding[]>;
  close(): Promise<void>;
}

export interface SchemaStanding {
  readonly subject: string;
  /** `null` when this version's schema is not registered. */
  readonly id: number | null;
  readonly compatibility: string | null;
  readonly wantedCompatibility: string;
}

export interface RegisteredSchema {
  readonly subject: string;
  readonly id: number;
  readonly compatibility: string;
}

export interface CliPorts {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly fetch: typeof fetch;
  readonly version: string;
  /** This machine's clock, since 1970. */
  nowMs(): number;
  readFile(path: string): Promise<string>;
  readonly historyFiles: HistoryFiles;
  /** Shows how far a long command is. */
  progress(options: Omit<ProgressOptions, 'to'>): Progress;
  /** @throws Invalid `config`. */
  connect(values: CliValues, options: { readonly verbose: boolean }): Installation;
  /** Runs the replay service with these arguments. @returns its exit code. */
  replay(args: readonly string[]): Promise<number>;
  /** Runs the repartition service with these arguments. @returns its exit code. */
  repartition(args: readonly string[]): Promise<number>;
  /** Runs the simulator with these arguments. @returns its exit code. */
  simulate(args: readonly string[]): Promise<number>;
}

/** What a backfill reads, and where it keeps how far it has come. */
export interface HistoryFiles {
  readonly openRows: OpenRows;
  /** @returns `null` when there is no such file yet. @throws Invalid `position`. */
  readPosition(path: string): Promise<Position | null>;
  writePosition(path: string, position: Position): Promise<void>;
}

export interface TextSink {
  write(text: string): unknown;
}

/** What a command has to say, for machines and for people. */
export interface Answer {
  readonly data: unknown;
  readonly text: string;
  /** A check said no: exit code 1. */
  readonly failed?: boolean;
}
