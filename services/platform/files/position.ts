/** How far a long piece of work has come, in a file that is always whole: what it was, or what it becomes. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { Invalid } from '../../core/errors.ts';

const POSITION = z.strictObject({
  /** Events that are in the log. */
  appended: z.int().min(0),
  /** Of the topic and their ids. */
  digest: z.string(),
});
export type Position = z.infer<typeof POSITION>;

/** @returns `null` when there is no such file yet. @throws Invalid `position`. */
export async function readPosition(path: string): Promise<Position | null> {
  try {
    return POSITION.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Invalid('position', `${path} cannot be read as a position: ${(cause as Error).message}`, { cause });
  }
}

export async function writePosition(path: string, position: Position): Promise<void> {
  const beside = `${path}.new`;
  await writeFile(beside, `${JSON.stringify(position)}\n`);
  await rename(beside, path);
}
