/**
 * One process at a time has a store's folder: it listens on a socket there, which ends with the process however that ends.
 */
import { once } from 'node:events';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { Unavailable } from '../../../core/errors.ts';
import { refused } from './errors.ts';

export interface FolderLock {
  release(): Promise<void>;
}

const TRIES = 2;
const NAME = 'lock';

/** @throws Unavailable `store-locked` when another has it. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const directory = await open(folder);
  try {
    const server = await listenIn(folder, pathIn(folder, directory));
    return {
      async release() {
        await close(server);
        await directory.close();
      },
    };
  } catch (error) {
    await directory.close();
    throw error;
  }
}

/** The system takes no more than about 100 bytes of a socket's path, however deep the folder is. */
function pathIn(folder: string, { fd }: FileHandle): string {
  if (process.platform === 'linux') return `/proc/self/fd/${fd}/${NAME}`;
  const absolute = join(folder, NAME);
  const fromHere = relative('', absolute);
  return fromHere.length < absolute.length ? fromHere : absolute;
}

async function listenIn(folder: string, path: string): Promise<Server> {
  for (let tries = 0; tries < TRIES; tries++) {
    const server = await listen(folder, path);
    if (server !== null) return server;
    if (await isAnswered(path)) break;
    // Whoever had it is gone.
    await rm(path, { force: true });
  }
  throw new Unavailable('store-locked', `store ${folder} is open in another process`);
}

/** @returns `null` when there is such a socket already. */
async function listen(folder: string, path: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  server.listen(path);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw refused(join(folder, NAME), error);
  }
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    // Refused, or removed meanwhile: nobody listens.
    return false;
  } finally {
    socket.destroy();
  }
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await closed;
}
