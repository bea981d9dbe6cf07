/** How the store says that it cannot go on: what is stored is wrong, or the disk refuses. */
import { Corrupt, Unavailable } from '../../../core/errors.ts';

export function unreadable(what: string): Corrupt {
  return new Corrupt('store-unreadable', `the store cannot be read: ${what}`);
}

/** @param error of the file system. */
export function refused(path: string, error: unknown): Corrupt | Unavailable {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return unreadable(`${path} is missing`);
  return new Unavailable('store-refused', `${path}: ${String(error)}`, { cause: error });
}
