/**
 * Purpose: builds deploy/local/NAME/pom.xml once and keeps what came out, so that every checkout of the same pom shares it.
 * Owns ~/.cache/croupier (or $XDG_CACHE_HOME/croupier).
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Unavailable } from '../../services/core/errors.ts';
import { run } from './command.ts';
import { type Reporter, seconds } from './reporter.ts';
import { withLock } from './state.ts';

export interface MavenBuild {
  readonly name: string;
  /** What is fetched, for people. */
  readonly title: string;
  /** The folder of the pom. */
  readonly source: string;
  readonly settings: string;
}

/** The build's `target` folder, if an earlier build left it. */
export async function builtTarget(build: MavenBuild): Promise<string | undefined> {
  const target = join(await buildFolder(build), 'target');
  const found = await stat(target).catch(() => undefined); // not there, or not readable: not built
  return found?.isDirectory() ? target : undefined;
}

/** The build's `target` folder, built now if need be. */
export async function buildTarget(build: MavenBuild, reporter: Reporter): Promise<string> {
  const folder = await buildFolder(build);
  return withLock(`${folder}.lock`, async () => {
    const done = await builtTarget(build);
    if (done !== undefined) return done;
    const startedMs = performance.now();
    reporter.line(`fetching ${build.title} from Maven Central (once; kept in ${folder})`);
    const unfinished = `${folder}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    await copyFile(join(build.source, 'pom.xml'), join(unfinished, 'pom.xml'));
    await runMaven(build, unfinished, reporter);
    await rename(unfinished, folder);
    reporter.line(`${build.title} is ready after ${seconds(startedMs)}`);
    return join(folder, 'target');
  });
}

async function runMaven(build: MavenBuild, folder: string, reporter: Reporter): Promise<void> {
  const startedMs = performance.now();
  let files = 0;
  const result = await run('mvn', ['-B', '-gs', build.settings, 'package'], {
    cwd: folder,
    onLine: (line) => {
      if (line.includes('Downloaded from')) files += 1;
      reporter.progress(`${build.title}: ${files} files fetched, ${seconds(startedMs)}`);
    },
  });
  if (result.exitCode === 0) return;
  const log = join(folder, 'build.log');
  await writeFile(log, `${result.lines.join('\n')}\n`);
  const errors = result.lines.filter((line) => line.startsWith('[ERROR]')).slice(0, 3);
  throw new Unavailable('stack-maven', `Maven could not build ${build.title}, see ${log}\n${errors.join('\n')}`);
}

async function buildFolder(build: MavenBuild): Promise<string> {
  const pom = await readFile(join(build.source, 'pom.xml'));
  const hash = createHash('sha256').update(pom).digest('hex').slice(0, 12);
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'croupier', `${build.name}-${hash}`);
}
