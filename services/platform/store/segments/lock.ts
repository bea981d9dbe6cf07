/**
 * One process at a time has a store's folder: it listens on a socket there, which ends with the process however that ends.
 */
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { Unavailable } from '../../../core/errors.ts';
import { refused } from './errors.ts';

export interface FolderLock {
  release(): Promise<void>;
}

const TRIES = 2;

/** @throws Unavailable `store-locked` when another has it. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const absolute = join(folder, 'lock');
  const fromHere = relative('', absolute);
  // The system takes no more than about 100 bytes of path.
  const path = fromHere.length < absolute.length ? fromHere : absolute;
  for (let tries = 0; tries < TRIES; tries++) {
    const server = await listen(path);
    if (server !== null) return { release: () => close(server) };
    if (await isAnswered(path)) break;
    // Whoever had it is gone.
    await rm(path, { force: true });
  }
  throw new Unavailable('store-locked', `store ${folder} is open in another process`);
}

/** @returns `null` when there is such a socket already. */
async function listen(path: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  server.listen(path);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw refused(path, error);
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
