#!/usr/bin/env node
/** The `croupier` command: gives the commands Kafka, the registry, the file system and this process. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createCodecs } from '../contracts/codec.ts';
import { kafkaOptions, registryOptions, topicsOf } from '../platform/connection-config.ts';
import { readPosition, writePosition } from '../platform/files/position.ts';
import { openRows } from '../platform/files/rows.ts';
import { KafkaLog } from '../platform/kafka/log.ts';
import { endWhenUnread } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logging.ts';
import { startProgress } from '../platform/progress.ts';
import { registerAll, standings } from '../platform/registry/register.ts';
import { openRegistrySource } from '../platform/registry/source.ts';
import type { CliValues } from './config.ts';
import type { Installation } from './ports.ts';
import { runCli } from './program.ts';

function connect(values: CliValues, { verbose }: { readonly verbose: boolean }): Installation {
  const logger = createLogger({ name: 'cli', level: verbose ? 'debug' : 'silent' });
  const topics = topicsOf(values);
  const registry = registryOptions(values);
  const log = new KafkaLog(kafkaOptions(values, { clientId: 'croupier-cli', logger }));
  return {
    log,
    topics,
    codecs: async () => createCodecs(await openRegistrySource(registry, topics), topics),
    registerSchemas: () => registerAll(registry, topics),
    schemaStandings: () => standings(registry, topics),
    close: () => log.close(),
  };
}

/** A service of its own, run with the same Node. @returns its exit code. */
function runService(name: 'replay' | 'simulator' | 'learner/repartition', args: readonly string[]): Promise<number> {
  const main = fileURLToPath(new URL(`../${name}/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [main, ...args], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

endWhenUnread(process.stdout);
process.exitCode = await runCli(process.argv.slice(2), {
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  fetch,
  version,
  nowMs: Date.now,
  readFile: (path) => readFile(path, 'utf8'),
  historyFiles: { openRows, readPosition, writePosition },
  progress: (options) => startProgress({ ...options, to: process.stderr }),
  connect,
  replay: (args) => runService('replay', args),
  repartition: (args) => runService('learner/repartition', args),
  simulate: (args) => runService('simulator', args),
});
