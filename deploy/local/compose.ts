/**
 * Purpose: runs the services as containers of the checkout's docker-compose.yml, and reads the settings it gives them.
 * Owns nothing: Docker keeps the containers.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { Unavailable } from '../../services/core/errors.ts';
import { type CommandOptions, run } from './command.ts';
import type { Reporter } from './reporter.ts';
import { SERVICES, type ServiceName } from './services.ts';

export type ServiceSettings = Readonly<
  Record<ServiceName, { readonly environment: Readonly<Record<string, string>>; readonly command: readonly string[] }>
>;

const settingsOfService = z.object({
  environment: z.record(z.string(), z.string()).default({}),
  command: z.array(z.string()).default([]),
});
const composeFile = z.object({
  services: z.object({ kafka: settingsOfService, registry: settingsOfService, redis: settingsOfService }),
});

const ANSWER_MS_MAX = 10_000;

/** What docker-compose.yml says of each service: the processes of a stack without Docker take the same. */
export async function composeSettings(root: string): Promise<ServiceSettings> {
  const text = await readFile(join(root, 'docker-compose.yml'), 'utf8');
  return composeFile.parse(parse(text, { merge: true })).services;
}

/** Undefined when a daemon and Compose 2 answer, else what is missing. */
export async function whyNoDocker(): Promise<string | undefined> {
  const daemon = await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs: ANSWER_MS_MAX });
  if (daemon.exitCode !== 0) return `no Docker daemon answers (${daemon.lines.at(-1) ?? 'no reason given'})`;
  const compose = await run('docker', ['compose', 'version', '--short'], { timeoutMs: ANSWER_MS_MAX });
  return compose.exitCode === 0 ? undefined : 'there is no `docker compose`: apt-get install -y docker-compose-plugin';
}

/** Which of the services run already, as containers of this checkout's project. */
export async function runningContainers(root: string): Promise<readonly ServiceName[]> {
  const { lines } = await compose(root, ['ps', '--services', '--status', 'running']);
  return SERVICES.filter((name) => lines.includes(name));
}

/** Returns once Docker calls all of them healthy. */
export async function startContainers(root: string, names: readonly ServiceName[], reporter: Reporter): Promise<void> {
  const result = await compose(root, ['up', '--detach', '--wait', ...names], {
    onLine: (line) => reporter.progress(line.trim()),
  });
  if (result.exitCode === 0) return;
  throw new Unavailable(
    'stack-compose',
    `docker compose could not start them: ${result.lines.at(-1) ?? 'no reason given'}`,
  );
}

/** Removes the containers and what they kept. */
export async function removeContainers(root: string, names: readonly ServiceName[]): Promise<void> {
  const result = await compose(root, ['rm', '--stop', '--force', '--volumes', ...names]);
  if (result.exitCode === 0) return;
  throw new Unavailable(
    'stack-compose',
    `docker compose could not remove them: ${result.lines.at(-1) ?? 'no reason given'}`,
  );
}

function compose(root: string, args: readonly string[], options: CommandOptions = {}) {
  return run('docker', ['compose', '--progress', 'plain', ...args], { ...options, cwd: root });
}
